import t from 'tap'
import { isFinal, isPassing, reconnectDelayMs } from '../../lib/chat-client/reconnecting.js'
import { readDocument, section, tableRows } from '../helpers/markdown.js'

const protocol = readDocument('docs/protocol.md')

t.test('it connects again after the close codes for which the protocol says so, and after no other', async t => {
  for (const [code, , what] of tableRows(section(protocol, 'Close codes')).slice(1)) {
    t.equal(isFinal(Number(code)), !what.startsWith('reconnect'), `${code}: ${what}`)
  }
})

t.test('of codes that nobody knows it tries again', async t => {
  for (const code of [1001, 1006, 1011, 4999]) t.notOk(isFinal(code), String(code))
})

t.test('it is worth sending again what the protocol says so of', async t => {
  for (const [reason, , again] of tableRows(section(protocol, 'Sending and acks')).slice(1)) {
    t.equal(isPassing(reason.replaceAll('`', '')), again === 'later', reason)
  }
})

t.test('delays are random up to a bound that doubles from 1 second to 30', async t => {
  const bounds = [0, 1, 2, 3, 4, 5, 6, 60].map(failures => reconnectDelayMs(1006, failures, 1))
  t.strictSame(bounds, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  t.equal(reconnectDelayMs(1006, 3, 0), 0)
  t.equal(reconnectDelayMs(1006, 3, 0.5), 4000)
})

t.test('a node that drains is left within a second, however many attempts failed', async t => {
  t.equal(reconnectDelayMs(4200, 20, 1), 1000)
})
