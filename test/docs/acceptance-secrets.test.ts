import t from 'tap'
import { followPart } from '../helpers/acceptance.js'

t.test('what the acceptance playbook promises of secrets comes', async t => {
  await followPart(t, 'secrets')
})
