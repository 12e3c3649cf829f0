import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { closeReason } from '../../lib/protocol/close-codes.js'

const MAX_BYTES = 123

t.test('a short reason stays as it is', t => {
  t.equal(closeReason(''), '')
  t.equal(closeReason('invalid token'), 'invalid token')
  t.equal(closeReason('x'.repeat(MAX_BYTES)), 'x'.repeat(MAX_BYTES))
  t.end()
})

t.test('a long reason is cut to 123 bytes', t => {
  t.equal(closeReason('x'.repeat(MAX_BYTES + 1)), 'x'.repeat(MAX_BYTES))
  t.end()
})

t.test('a character that does not fit whole is left out', t => {
  for (const [character, bytes] of [['é', 2], ['€', 3], ['😀', 4]] as const) {
    for (let missing = 1; missing < bytes; missing++) {
      const before = 'x'.repeat(MAX_BYTES - bytes + missing)
      t.equal(closeReason(before + character), before, `${character} with ${missing} bytes too many`)
      t.equal(closeReason(before + character + 'yyy'), before)
    }
    const fits = 'x'.repeat(MAX_BYTES - bytes) + character
    t.equal(closeReason(fits + 'y'), fits, `${character} that just fits`)
  }
  t.end()
})

t.test('property: the longest beginning in whole characters that fits, valid for a close frame', t => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), reason => {
    const cut = closeReason(reason)
    assert(reason.startsWith(cut))
    assert(Buffer.byteLength(cut) <= MAX_BYTES)
    const [next = ''] = reason.slice(cut.length)
    assert(next === '' || Buffer.byteLength(cut + next) > MAX_BYTES, 'one more character would fit')
  }))
  t.end()
})

t.test('what is not Unicode text is made so: the reason comes from a hook or an error', t => {
  const cut = closeReason('\ud83d'.repeat(100))
  t.ok(Buffer.byteLength(cut) <= MAX_BYTES)
  t.equal(Buffer.from(cut).toString(), cut)
  t.end()
})
