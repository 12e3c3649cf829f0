import t from 'tap'
import { followPart } from '../helpers/acceptance.js'

t.test('what the acceptance playbook promises of limits comes', async t => {
  await followPart(t, 'limits')
})
