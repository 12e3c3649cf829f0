import t from 'tap'
import type { BodyEncryption } from '../../../sdk/client/src/encryption-port.js'
import { until } from '../../helpers/until.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

/** Bodies are turned around; each operation ends when the test says so. */
class HeldEncryption implements BodyEncryption {
  readonly contexts: string[] = []
  readonly ends: Array<() => void> = []

  async encrypt (body: Uint8Array, context: unknown): Promise<Uint8Array> {
    return await this.turned(body, context)
  }

  async decrypt (body: Uint8Array, context: unknown): Promise<Uint8Array> {
    if (String.fromCharCode(...body) === 'bad') throw new Error('not for this key')
    return await this.turned(body, context)
  }

  private async turned (body: Uint8Array, context: unknown): Promise<Uint8Array> {
    this.contexts.push(JSON.stringify(context))
    await new Promise<void>(resolve => this.ends.push(resolve))
    return body.slice().reverse()
  }
}

t.test('with encryption, messages keep their order both ways, and go again as they were', async t => {
  const gateway = await ScriptedGateway.start(t)
  const encryption = new HeldEncryption()
  const alice = new SdkClient(t, { url: gateway.url, encryption })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await alice.untilState('connected')
  const bodies = ['one', 'two']
  const sent = bodies.map(async body => await alice.client.send({ toUserId: 'bob', body, msgId: body }))
  await until('both are begun', () => encryption.ends.length === 2)
  t.strictSame(JSON.parse(encryption.contexts[0]), { tenantId: 't1', msgId: 'one', toUserId: 'bob', groupId: '' })
  for (const end of encryption.ends.splice(0).reverse()) {
    end()
    // What it leads to is done when the next one ends.
    await new Promise(resolve => setImmediate(resolve))
  }
  await accepted.untilMessages(2)
  t.strictSame(accepted.messages.map(({ msgBody }) => Buffer.from(msgBody).toString()), ['eno', 'owt'])
  accepted.socket.terminate()
  const second = await gateway.letIn()
  await second.untilMessages(1)
  second.ack('one')
  await second.untilMessages(2)
  second.ack('two')
  await Promise.all(sent)
  t.equal(encryption.contexts.length, 2, 'each is encrypted once')

  for (const [i, text] of ['1a', 'bad', '2b'].entries()) second.deliver({ msgId: `${i}`, msgBody: Buffer.from(text) })
  await until('both are begun', () => encryption.ends.length === 2)
  for (const end of encryption.ends.splice(0).reverse()) {
    end()
    await new Promise(resolve => setImmediate(resolve))
  }
  await alice.until(() => alice.messages.length === 2)
  t.strictSame(alice.texts, ['a1', 'b2'])
  t.match(alice.errors, [{ code: 'MICS_ENCRYPTION_FAILED', message: /message 1 from bob .*not for this key/ }])
})

t.test('a message that cannot be encrypted is not sent, and holds up no other', async t => {
  const gateway = await ScriptedGateway.start(t)
  const encryption: BodyEncryption = {
    encrypt: async body => {
      if (body.length === 0) throw new Error('no key')
      return body.length > 5 ? new Uint8Array(2000) : body
    },
    decrypt: async body => body,
  }
  const alice = new SdkClient(t, { url: gateway.url, encryption, maxBodyBytes: 1000 })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await Promise.all([
    t.rejects(alice.client.send({ toUserId: 'bob', body: '' }), { code: 'MICS_ENCRYPTION_FAILED', cause: { message: 'no key' } }),
    t.rejects(alice.client.send({ toUserId: 'bob', body: 'longer' }), { code: 'MICS_BODY_TOO_LARGE', message: /2000/ }),
    alice.client.send({ toUserId: 'bob', body: 'fine', msgId: 'm' }),
    accepted.untilMessages(1).then(() => accepted.ack('m')),
  ])
  t.equal(accepted.messages.length, 1)
})

t.test('a message that could not be decrypted is in the error, and is no repeat when it comes again', async t => {
  const gateway = await ScriptedGateway.start(t)
  let hasKey = false
  const encryption: BodyEncryption = {
    encrypt: async body => body,
    decrypt: async body => {
      if (!hasKey) throw new Error('no key yet')
      return body.slice().reverse()
    },
  }
  const alice = new SdkClient(t, { url: gateway.url, encryption })
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.deliver({ msgId: 'm1', msgBody: Buffer.from('ih') })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_ENCRYPTION_FAILED', received: { msgId: 'm1', userId: 'bob', text: 'ih', isOwn: false } }])
  hasKey = true
  accepted.deliver({ msgId: 'm1', msgBody: Buffer.from('ih') })
  accepted.deliver({ msgId: 'm1', msgBody: Buffer.from('ih') })
  await alice.until(() => alice.repeats.length === 1)
  t.strictSame(alice.texts, ['hi'])
})

t.test('what waits to be decrypted is bounded in bytes, too', async t => {
  const gateway = await ScriptedGateway.start(t)
  const ends: Array<() => void> = []
  const encryption: BodyEncryption = {
    encrypt: async body => body,
    decrypt: async body => await new Promise(resolve => ends.push(() => resolve(body))),
  }
  const alice = new SdkClient(t, { url: gateway.url, encryption })
  alice.client.connect()
  const accepted = await gateway.letIn()
  const msgBody = new Uint8Array(8 * 1024 * 1024)
  for (let i = 0; i < 9; i++) accepted.deliver({ msgId: `${i}`, msgBody })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_ENCRYPTION_FAILED', message: /message 8 .*8 messages with 67108864 bytes wait/ }])
  for (const end of ends) end()
  await alice.until(() => alice.messages.length === 8)
})

t.test('what waits to be decrypted is bounded, and the app is told of what is lost beyond', async t => {
  const gateway = await ScriptedGateway.start(t)
  const encryption = new HeldEncryption()
  const alice = new SdkClient(t, { url: gateway.url, encryption })
  alice.client.connect()
  const accepted = await gateway.letIn()
  for (let i = 0; i <= 10_000; i++) accepted.deliver({ msgId: `${i}` })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_ENCRYPTION_FAILED', message: /message 10000 .*10000 messages .*wait/ }])
  for (const end of encryption.ends) end()
  await alice.until(() => alice.messages.length === 10_000)
  accepted.deliver({ msgId: 'another' })
  await until('it is being decrypted', () => encryption.ends.length === 10_001)
  encryption.ends[10_000]()
  await alice.until(() => alice.messages.length === 10_001)
  t.equal(alice.errors.length, 1)
})
