import t from 'tap'
import { signBody, signRequest } from '../../lib/hooks/signing.js'

// The expected values were computed with Python's hmac, from protocol.md's "Signing" alone.
const UNSIGNED = Buffer.from('0a07000102030405061203616263', 'hex')
const SECRET = 'test-secret'
const NOT_ASCII = 'schlüssel-鍵'

t.test('meta.sign is what the protocol says', async t => {
  t.equal(signRequest(SECRET, UNSIGNED, 'req-1', 1700000000123n), 'r5wluWY/HphB3XRcp5G3zKhaO6AcvINuHeNbPBjXj5k=')
  t.equal(signRequest(SECRET, Buffer.alloc(0), '', 0n), 'vayJUoewJx9SMdx3wfaQSJA12LzWKY22Q9xJDTpcWDU=')
})

t.test('secret and request id are signed as UTF-8', async t => {
  t.equal(signRequest(NOT_ASCII, UNSIGNED, 'anfrage-ü', 1700000000123n), 'uBAinOU9okBNJRJAdS7QrRknrNVZ1zcT0zZEC/NqPuQ=')
})

t.test('the time is signed as 8 bytes, signed, without rounding', async t => {
  t.equal(signRequest(SECRET, UNSIGNED, 'req-1', -1n), '+tPwxHFXvRe1cyAlIWsXBsS+QT6GWm16C1f5X78TNNE=')
  t.equal(signRequest(SECRET, UNSIGNED, 'req-1', 2n ** 53n + 1n), 'JE/1q6M2ig9c3WQ+oeSlQnmh9/Bqh3vT4py+zUC5Tgw=')
})

t.test('x-mics-signature is what the protocol says', async t => {
  t.equal(signBody(SECRET, 1700000000123n, UNSIGNED), 'v1=b9cbf92ce06330cb9187a0343a82f39160561ae6c1056239c03c7856a65ec9d5')
  t.equal(signBody(SECRET, 0n, Buffer.alloc(0)), 'v1=631b016df8da6df7b2be6da465c66731b837e36f786db5c9e887d775e6a7e647')
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  t.equal(signBody(NOT_ASCII, 1700000000123n, everyByte), 'v1=85b4604d511483cfa29bf0c4e9958ffb0dad37fb19c89cee640e191b1514f3aa')
})
