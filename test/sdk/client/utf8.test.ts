import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { base64url } from '../../../sdk/client/src/base64url.js'
import { decodeUtf8ByHand, encodeUtf8ByHand } from '../../../sdk/client/src/utf8-by-hand.js'
import { decodeUtf8, encodeUtf8 } from '../../../sdk/client/src/utf8.js'
import { text, utf16 } from '../../protocol/wire-arbitraries.js'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const anyText = fc.oneof(text, utf16)

for (const [name, encode, decode] of [
  ['the platform\'s codec', encodeUtf8, decodeUtf8],
  ['the one by hand', encodeUtf8ByHand, decodeUtf8ByHand],
] as const) {
  t.test(`${name} writes what TextEncoder writes`, async () => {
    fc.assert(fc.property(anyText, text => {
      assert.deepEqual(encode(text), new TextEncoder().encode(text))
    }), { numRuns: 2000 })
  })

  t.test(`${name} reads what TextDecoder reads, valid or not`, async () => {
    // Bytes that begin, go on or break characters of two to four bytes, thick enough to meet.
    const broken = fc.array(fc.oneof(
      fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf),
      fc.constantFrom(0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff),
      fc.integer({ min: 0, max: 255 })
    ), { maxLength: 12 }).map(bytes => Uint8Array.from(bytes))
    const anyBytes = fc.oneof(broken, anyText.map(text => new TextEncoder().encode(text)), fc.uint8Array())
    fc.assert(fc.property(anyBytes, bytes => {
      assert.equal(decode(bytes), decoder.decode(bytes))
    }), { numRuns: 10_000 })
  })

  t.test(`${name} keeps U+FEFF in front, and makes U+FFFD of half a pair`, async t => {
    t.equal(decode(encode('\uFEFFa')), '\uFEFFa')
    t.equal(decode(encode('a\ud83db\udc00')), 'a\uFFFDb\uFFFD')
    t.equal(decode(encode('你好，😀')), '你好，😀')
  })

  t.test(`${name} takes a text of a megabyte`, async t => {
    const long = '你好😀a'.repeat(100_000)
    t.ok(decode(encode(long)) === long)
  })
}

t.test('every character there is comes back', async () => {
  for (let from = 0; from < 0x110000; from += 0x1000) {
    const points = Array.from({ length: 0x1000 }, (_, i) => from + i).filter(point => point < 0xd800 || point > 0xdfff)
    const text = String.fromCodePoint(...points)
    assert.deepEqual(encodeUtf8ByHand(text), new TextEncoder().encode(text))
    assert.equal(decodeUtf8ByHand(encodeUtf8ByHand(text)), text)
  }
})

t.test('base64url is what Buffer writes', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
    assert.equal(base64url(bytes), Buffer.from(bytes).toString('base64url'))
  }), { numRuns: 1000 })
})
