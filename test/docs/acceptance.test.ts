import t from 'tap'
import { followPlaybook } from '../helpers/playbook.js'

t.test('what the acceptance playbook promises comes', async t => {
  await followPlaybook(t, 'docs/ops/acceptance.md', [
    'Start', 'Chat', 'Tenants', 'Hooks that fail', 'Nodes that stop', 'Redis that stops', 'Looking inside', 'End',
  ])
})
