import { readFile } from 'node:fs/promises'
import t from 'tap'
import { CloseCode } from '../../../lib/protocol/close-codes.js'
import { FrameError } from '../../../lib/protocol/server-errors.js'
import { closeCodeOf, closeCodes, errorCodes } from '../../../sdk/client/src/protocol.js'
import { isFinal } from '../../../sdk/client/src/reconnect.js'

const page = await readFile(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
/** The rows of the first table behind a heading or a sentence, as cells. */
const tableBehind = (text: string): string[][] => page.slice(page.indexOf(text)).split('\n\n')
  .find(block => /^\| \d+|\n\| \d+/.test(block))?.split('\n').slice(2).map(row => row.split('|').map(cell => cell.trim()).slice(1, -1)) ?? []

t.test('every close code of docs/protocol.md is there, and says whether to reconnect as the page does', async t => {
  const rows = tableBehind('## Close codes')
  t.ok(rows.length >= 10)
  for (const [code, , action] of rows) {
    t.equal(closeCodes[Number(code)].reconnect, action.startsWith('reconnect'), `${code}: ${action}`)
  }
})

t.test('the gateway and the client have the same names for the same codes', async t => {
  for (const [name, code] of Object.entries(CloseCode)) t.equal(closeCodes[code].name, name)
  for (const [name, code] of Object.entries(FrameError)) t.equal(errorCodes[code].name, name)
  const documented = tableBehind('A frame that cannot be used').map(([code]) => Number(code))
  t.strictSame(Object.keys(errorCodes).map(Number), documented)
})

t.test('the client reconnects after the codes of which its table says so', async t => {
  for (const [code, { reconnect }] of Object.entries(closeCodes)) t.equal(reconnect, !isFinal(Number(code)), code)
})

t.test('a code that is not known counts as passing', async t => {
  t.strictSame(closeCodeOf(4999), {
    name: 'UNKNOWN', meaning: 'closed with 4999, which this version does not know', reconnect: true,
  })
  t.equal(closeCodeOf(4409), closeCodes[4409])
})
