import t from 'tap'
import { isPassing } from '../../../sdk/client/src/ack-reasons.js'
import { readDocument, section, tableRows } from '../../helpers/markdown.js'

t.test('the same message may be taken later after the reasons of which docs/protocol.md says so, and after no other', async t => {
  const rows = tableRows(section(readDocument('docs/protocol.md'), 'Sending and acks')).slice(1)
  t.ok(rows.length >= 10)
  for (const [reason, , again] of rows) t.equal(isPassing(reason.replaceAll('`', '')), again === 'later', reason)
})
