import t from 'tap'
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

t.test('what one user of a client has seen is new to the next', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const first = await gateway.letIn()
  first.deliver({ msgId: 'm1', groupId: 'team', msgType: 1 })
  await alice.until(() => alice.messages.length === 1)
  await alice.client.close()
  alice.client.connect()
  const second = (await gateway.next()).letIn('carol')
  second.deliver({ msgId: 'm1', groupId: 'team', msgType: 1 })
  second.deliver({ msgId: 'm1', groupId: 'team', msgType: 1 })
  await alice.until(() => alice.repeats.length === 1)
  t.match(alice.messages, [{ msgId: 'm1' }, { msgId: 'm1' }])
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
  const stop = alice.client.on('message', () => {
    stop()
    throw new Error('oops')
  })
  alice.client.on('message', ({ msgId }) => seen.push(msgId))
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.deliver({ msgId: 'm1' })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_LISTENER_FAILED', message: /message.*oops/, cause: { message: 'oops' } }])
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
