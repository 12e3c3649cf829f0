import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes, webcrypto } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { aesGcm, type AesGcmOptions, type EncryptionContext } from '../../../sdk/client/src/encryption.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { text } from '../../protocol/wire-arbitraries.js'
import { SdkClient, wsUrl } from './sdk-client.js'

const context: EncryptionContext = { tenantId: 'acme', msgId: 'm1', toUserId: 'bob', groupId: '' }
const key = Buffer.alloc(32, 7)
const other = Buffer.alloc(32, 8)
const hello = Buffer.from('hello')

/** What the docstring says is authenticated, written again from its words. */
function aad ({ tenantId, toUserId, groupId, msgId }: EncryptionContext): Buffer {
  return Buffer.concat([Buffer.from([1]), ...[tenantId, toUserId, groupId, msgId].flatMap(text => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(Buffer.byteLength(text))
    return [length, Buffer.from(text)]
  })])
}

/** The format by another library than WebCrypto: OpenSSL's AES-256-GCM. */
function sealed (keyId: string, iv: Buffer, text: Buffer, context: EncryptionContext): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(context))
  const id = Buffer.from(keyId)
  return Buffer.concat([Buffer.from([1, id.length]), id, iv, cipher.update(text), cipher.final(), cipher.getAuthTag()])
}

const anyContext = fc.record({ tenantId: text, msgId: text, toUserId: text, groupId: text })

t.test('what is encrypted for a message can be read as that message', async t => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), anyContext, async (body, context) => {
    const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
    const sent = await encryption.encrypt(body, context)
    assert.equal(sent.length, body.length + 30 + 2)
    assert.deepEqual(await encryption.decrypt(sent, context), body)
  }))
  const large = randomBytes(1024 * 1024)
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  t.ok(large.equals(await encryption.decrypt(await encryption.encrypt(large, context), context)))
})

t.test('another implementation of the format reads it', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), anyContext, async (body, context) => {
    const sent = Buffer.from(await aesGcm({ keys: { ключ: key }, keyId: 'ключ' }).encrypt(body, context))
    assert.equal(sent[0], 1)
    assert.equal(sent.toString('utf8', 2, 2 + sent[1]), 'ключ')
    const at = 2 + sent[1]
    const decipher = createDecipheriv('aes-256-gcm', key, sent.subarray(at, at + 12))
      .setAAD(aad(context)).setAuthTag(sent.subarray(-16))
    assert.ok(Buffer.concat([decipher.update(sent.subarray(at + 12, -16)), decipher.final()]).equals(body))
  }))
})

t.test('what another implementation wrote is read: the example of the docstring', async t => {
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  const sent = sealed('k1', Buffer.alloc(12, 3), hello, context)
  t.equal(sent.toString('hex'), '01026b310303030303030303030303034d9bcf6f3501e9dae723050e809e31a014f5bdbfb7')
  t.strictSame(Buffer.from(await encryption.decrypt(sent, context)), hello)
})

t.test('the same body twice is never the same bytes', async t => {
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  const sent = await Promise.all(Array.from({ length: 200 }, () => encryption.encrypt(hello, context)))
  t.equal(new Set(sent.map(bytes => Buffer.from(bytes).toString('hex', 4, 16))).size, 200, 'each has an IV of its own')
})

t.test('no byte of it can be changed, cut or added', async t => {
  const encryption = aesGcm({ keys: id => id === 'k1' ? key : undefined, keyId: 'k1' })
  const sent = await encryption.encrypt(hello, context)
  for (let at = 0; at < sent.length; at++) {
    for (const bit of [1, 128]) {
      const changed = Buffer.from(sent)
      changed[at] ^= bit
      await t.rejects(encryption.decrypt(changed, context), { name: 'BodyEncryptionError' }, `byte ${at}`)
    }
    await t.rejects(encryption.decrypt(sent.subarray(0, at), context), { name: 'BodyEncryptionError' }, `cut at ${at}`)
  }
  await t.rejects(encryption.decrypt(Buffer.concat([sent, Buffer.alloc(1)]), context), { code: 'MICS_DECRYPTION_FAILED' })
})

t.test('it cannot be moved to another message, recipient, group or tenant', async t => {
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  const sent = await encryption.encrypt(hello, context)
  for (const elsewhere of [
    { ...context, msgId: 'm2' }, { ...context, toUserId: 'carol' }, { ...context, groupId: 'g' }, { ...context, tenantId: 't' },
    { ...context, toUserId: '', groupId: 'bob' },
    { ...context, tenantId: 'acm', toUserId: 'ebob' },
  ]) {
    await t.rejects(encryption.decrypt(sent, elsewhere), {
      code: 'MICS_DECRYPTION_FAILED', keyId: 'k1', message: /key "k1": it was changed, or belongs to another message/,
    })
  }
  await fc.assert(fc.asyncProperty(anyContext, anyContext, async (context, elsewhere) => {
    fc.pre(JSON.stringify(context) !== JSON.stringify(elsewhere))
    const sent = await encryption.encrypt(hello, context)
    await assert.rejects(encryption.decrypt(sent, elsewhere))
  }))
})

t.test('keys change by their id: what the old one wrote is read as long as it is there', async t => {
  const before = aesGcm({ keys: { old: key }, keyId: 'old' })
  const between = aesGcm({ keys: { old: key, new: other }, keyId: 'new' })
  const after = aesGcm({ keys: { new: other }, keyId: 'new' })
  const early = await before.encrypt(hello, context)
  const late = await between.encrypt(hello, context)
  t.strictSame(Buffer.from(await between.decrypt(early, context)), hello)
  t.strictSame(Buffer.from(await after.decrypt(late, context)), hello)
  await t.rejects(after.decrypt(early, context), { code: 'MICS_KEY_UNKNOWN', keyId: 'old', message: 'there is no key "old": give it in `keys`' })
  await t.rejects(before.decrypt(late, context), { code: 'MICS_KEY_UNKNOWN', keyId: 'new' })
})

t.test('two keys of one id are told apart', async t => {
  const sent = await aesGcm({ keys: { k1: key }, keyId: 'k1' }).encrypt(hello, context)
  await t.rejects(aesGcm({ keys: { k1: other }, keyId: 'k1' }).decrypt(sent, context), { code: 'MICS_DECRYPTION_FAILED' })
})

t.test('a function chooses the key for each message, and another one finds it', async t => {
  const asked: string[] = []
  const options: AesGcmOptions = {
    keys: async id => {
      asked.push(id)
      return id === 'for bob' ? key : undefined
    },
    keyId: ({ toUserId }) => `for ${toUserId}`,
  }
  const sent = await aesGcm(options).encrypt(hello, context)
  t.strictSame(Buffer.from(await aesGcm(options).decrypt(sent, context)), hello)
  t.strictSame(asked, ['for bob', 'for bob'])
  await t.rejects(aesGcm(options).encrypt(hello, { ...context, toUserId: 'carol' }), { code: 'MICS_KEY_UNKNOWN' })
})

t.test('a CryptoKey may be given, which nobody can read out', async t => {
  const imported = (usages: ('encrypt' | 'decrypt')[]): Promise<webcrypto.CryptoKey> =>
    webcrypto.subtle.importKey('raw', key, 'AES-GCM', false, usages)
  const both = aesGcm({ keys: { k1: await imported(['encrypt', 'decrypt']) }, keyId: 'k1' })
  const sent = await both.encrypt(hello, context)
  t.strictSame(Buffer.from(await both.decrypt(sent, context)), hello)
  const readOnly = aesGcm({ keys: { k1: await imported(['decrypt']) }, keyId: 'k1' })
  t.strictSame(Buffer.from(await readOnly.decrypt(sent, context)), hello)
  await t.rejects(readOnly.encrypt(hello, context), { code: 'MICS_KEY_INVALID', message: /usages have 'encrypt'/ })
})

t.test('keys that cannot be used are refused at once, in words', async t => {
  const short = await webcrypto.subtle.importKey('raw', Buffer.alloc(16), 'AES-GCM', false, ['encrypt'])
  const hmac = await webcrypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  for (const [wrong, message] of [
    [Buffer.alloc(16), 'key "k1" has 16 bytes: give it 32 random ones'],
    [Buffer.alloc(33), /has 33 bytes/],
    [short, /a CryptoKey of AES-GCM with 256 bits/],
    [hmac, /a CryptoKey of AES-GCM with 256 bits/],
    ['secret', /give a Uint8Array of 32 bytes/],
    [null, /give a Uint8Array of 32 bytes/],
  ] as const) {
    t.throws(() => aesGcm({ keys: { k1: wrong as never }, keyId: 'k1' }), { code: 'MICS_KEY_INVALID', message })
    await t.rejects(aesGcm({ keys: () => wrong as never, keyId: 'k1' }).encrypt(hello, context), { code: 'MICS_KEY_INVALID', message })
  }
  t.throws(() => aesGcm({ keys: { k1: key }, keyId: 'k2' }), { code: 'MICS_KEY_UNKNOWN', message: /no key "k2"/ })
  for (const keyId of ['', 'é'.repeat(128)]) {
    t.throws(() => aesGcm({ keys: { k1: key }, keyId }), { code: 'MICS_KEY_INVALID', message: /1 to 255 bytes/ })
  }
})

t.test('a key id is only ever looked up, whatever it is', async t => {
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  for (const id of ['__proto__', 'constructor', 'toString']) {
    await t.rejects(encryption.decrypt(sealed(id, Buffer.alloc(12), hello, context), context), { code: 'MICS_KEY_UNKNOWN', keyId: id })
  }
})

t.test('keys are copied: one that is wiped afterwards still works', async t => {
  const mine = Buffer.from(key)
  const encryption = aesGcm({ keys: { k1: mine }, keyId: 'k1' })
  mine.fill(0)
  t.strictSame(Buffer.from(await encryption.decrypt(sealed('k1', Buffer.alloc(12), hello, context), context)), hello)
})

t.test('a body that nobody encrypted is told apart from one that was changed', async t => {
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  const later = Buffer.concat([Buffer.from([2]), Buffer.alloc(60)])
  for (const plain of [hello, Buffer.alloc(0), Buffer.from([1]), Buffer.from([1, 255, 0]), later]) {
    await t.rejects(encryption.decrypt(plain, context), { code: 'MICS_NOT_ENCRYPTED', message: /its sender uses no encryption/ })
  }
})

t.test('where there is no WebCrypto it says where there is', async t => {
  const found = Object.getOwnPropertyDescriptor(globalThis, 'crypto') as PropertyDescriptor
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  try {
    for (const value of [undefined, {}]) {
      Object.defineProperty(globalThis, 'crypto', { value, configurable: true })
      await t.rejects(encryption.encrypt(hello, context), { code: 'MICS_NO_WEBCRYPTO', message: /https or localhost/ })
    }
  } finally {
    Object.defineProperty(globalThis, 'crypto', found)
  }
  t.ok(await encryption.encrypt(hello, context), 'and goes on once there is')
})

t.test('over a gateway: recipients read it, and neither the gateway nor the tenant\'s hooks do', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['alice', 'bob'])
  const bodies: Buffer[] = []
  gateway.hooks.check = ({ message }) => {
    bodies.push(Buffer.from(message?.msgBody ?? []))
    return { allow: true }
  }
  const encryption = aesGcm({ keys: { k1: key }, keyId: 'k1' })
  const url = wsUrl(gateway.url)
  const alice = new SdkClient(t, { url, encryption })
  const bob = new SdkClient(t, { url, token: 'valid:bob', encryption })
  const stranger = new SdkClient(t, { url, token: 'valid:bob', deviceId: 'd2', encryption: aesGcm({ keys: { k2: other }, keyId: 'k2' }) })
  await Promise.all([alice, bob, stranger].map(async ({ client }) => await client.connect()))
  await alice.client.send({ toUserId: 'bob', body: 'to you' })
  await alice.client.send({ groupId: 'team', body: 'to all' })
  await bob.until(() => bob.messages.length === 2)
  t.strictSame(bob.texts, ['to you', 'to all'])
  t.equal(bodies.length, 2)
  t.notOk(bodies.some(body => body.includes('to ')))
  await stranger.until(() => stranger.errors.length === 2)
  t.match(stranger.errors, [{ code: 'MICS_ENCRYPTION_FAILED', cause: { code: 'MICS_KEY_UNKNOWN', keyId: 'k1' } }])
  t.strictSame(stranger.messages, [])
})

t.test('a Buffer that the app fills again after send() is encrypted as it was', async t => {
  const gateway = await startPatientGateway(t)
  let give = (_: Uint8Array): void => {}
  const late = new Promise<Uint8Array>(resolve => { give = resolve })
  const url = wsUrl(gateway.url)
  const encryption = aesGcm({ keys: async () => await late, keyId: 'k1' })
  const [alice, bob] = ['alice', 'bob'].map(user => new SdkClient(t, { url, token: `valid:${user}`, encryption }))
  await Promise.all([alice, bob].map(async ({ client }) => await client.connect()))
  const body = Buffer.from('hello')
  const sent = alice.client.send({ toUserId: 'bob', body })
  body.fill('x')
  give(key)
  await sent
  await bob.until(() => bob.messages.length === 1)
  t.strictSame(bob.texts, ['hello'])
})
