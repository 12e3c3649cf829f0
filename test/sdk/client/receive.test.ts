import t from 'tap'
import type { BodyEncryption } from '../../../sdk/client/src/encryption-port.js'
import { until } from '../../helpers/until.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

t.test('a message that comes again is handed on once, also by another connection', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const first = await gateway.letIn()
  first.deliver({ msgId: 'm1' })
  first.deliver({ msgId: 'm1', deviceId: 'b2' })
  first.deliver({ msgId: 'm1' })
  await alice.until(() => alice.repeats.length === 1)
  first.socket.terminate()
  const second = await gateway.letIn()
  second.deliver({ msgId: 'm1' })
  second.deliver({ msgId: 'm2', userId: 'alice', deviceId: 'd2' })
  await alice.until(() => alice.messages.length === 3)
  t.match(alice.messages, [
    { msgId: 'm1', deviceId: 'b1', isOwn: false, text: 'hi', body: new Uint8Array([104, 105]) },
    { msgId: 'm1', deviceId: 'b2' },
    { msgId: 'm2', deviceId: 'd2', isOwn: true },
  ])
  t.match(alice.repeats, [{ msgId: 'm1' }, { msgId: 'm1' }])
})

t.test('frames of a later version are passed over, and broken ones reported', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const frames: string[] = []
  alice.client.on('frame', (direction, bytes) => frames.push(`${direction} ${bytes.length}`))
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.socket.send(Buffer.from([0xfa, 0x01, 0x01, 0x00]))
  accepted.socket.send(Buffer.from([0xff]))
  accepted.socket.send('text')
  accepted.deliver({ msgId: 'm1' })
  await alice.until(() => alice.messages.length === 1)
  t.match(alice.errors, [{ code: 'MICS_PROTOCOL_ERROR' }, { code: 'MICS_PROTOCOL_ERROR', message: /text frame/ }])
  t.equal(alice.client.state.name, 'connected')
  t.equal(frames.length, 4, 'the connect_ack, and what was binary')
})

t.test('a listener that throws stops neither the others nor the client', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const seen: string[] = []
  const stop = alice.client.on('message', () => { throw new Error('oops') })
  alice.client.on('message', ({ msgId }) => seen.push(msgId))
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.deliver({ msgId: 'm1' })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_LISTENER_FAILED', message: /message.*oops/, cause: { message: 'oops' } }])
  stop()
  stop()
  accepted.deliver({ msgId: 'm2' })
  await until('the other listener has both', () => seen.length === 2)
  t.equal(alice.errors.length, 1)
})

t.test('where nobody listens to errors, or that listener throws, it is an uncaught exception', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const uncaught: unknown[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException').on('uncaughtException', error => uncaught.push(error))
  t.teardown(() => {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  })
  alice.client.on('error', () => { throw new Error('twice') })
  alice.client.on('message', () => { throw new Error('once') })
  alice.client.connect()
  ;(await gateway.letIn()).deliver({})
  await until('it is thrown', () => uncaught.length === 1)
  t.match(uncaught, [{ message: 'twice' }])
  t.match(alice.errors, [{ code: 'MICS_LISTENER_FAILED', message: /once/ }])
})

t.test('there is no other event', async t => {
  const { client } = new SdkClient(t, { url: 'ws://127.0.0.1:1' })
  t.throws(() => client.on('messages' as 'message', () => {}), { code: 'MICS_INVALID_ARGUMENT', message: /no event 'messages'/ })
  t.throws(() => client.on('message', undefined as never), { code: 'MICS_INVALID_ARGUMENT', message: /function/ })
})

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
  const bodies = ['one', 'two']
  const sent = bodies.map(async body => await alice.client.send({ toUserId: 'bob', body, msgId: body }))
  await until('both are begun', () => encryption.ends.length === 2)
  t.strictSame(JSON.parse(encryption.contexts[0]), { tenantId: 't1', msgId: 'one', toUserId: 'bob', groupId: '' })
  for (const end of encryption.ends.splice(0).reverse()) end()
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
  for (const end of encryption.ends.splice(0).reverse()) end()
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
