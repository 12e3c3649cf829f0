import t from 'tap'
import { browserTransport } from '../../../sdk/client/src/browser-transport.js'
import { nodeTransport } from '../../../sdk/client/src/node-transport.js'
import type { OutgoingMessage } from '../../../sdk/client/src/message.js'
import type { Socket, Transport } from '../../../sdk/client/src/transport.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

const hello = { toUserId: 'bob', body: 'hello', msgId: 'a' }

/** A platform whose sockets throw where a test says so. */
function throwing (...methods: (keyof Socket)[]): Transport {
  const { open } = nodeTransport()
  return {
    open: (...args) => {
      const socket = open(...args)
      const broken = { ...socket }
      for (const method of methods.splice(0)) {
        broken[method] = () => {
          socket.terminate()
          throw new Error(`${method} is broken`)
        }
      }
      return broken
    },
  }
}

t.test('a socket that cannot be closed holds up neither close() nor reconnect()', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport: throwing('close') })
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  alice.client.reconnect()
  await gateway.letIn()
  await alice.untilState('connected')
  const other = new SdkClient(t, { url: gateway.url, transport: throwing('close') })
  other.client.connect()
  await gateway.letIn()
  await other.untilState('connected')
  await other.client.close()
})

t.test('a socket that throws when something is sent is broken, and the message goes with the next', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport: throwing('send') })
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  const sent = alice.client.send(hello)
  const second = await gateway.letIn()
  await second.untilMessages(1)
  second.ack('a')
  t.match(await sent, { status: 'SENT' })
  t.match(alice.states[2], { name: 'waiting', code: 1006, reason: 'send is broken' })
  t.equal(alice.client.pending, 0)
})

t.test('a socket that throws even when it is given up is given up', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport: throwing('terminate'), connectTimeoutMs: 200 })
  alice.client.connect()
  await gateway.next()
  await gateway.letIn()
  await alice.untilState('connected')
})

t.test('a platform with WebSockets and without window events needs none of them', t => {
  const stop = browserTransport().onWake?.(() => {})
  stop?.()
  t.end()
})

t.test('a signal ends a client that is not connected yet, and what it was to send', async t => {
  const controller = new AbortController()
  const { client } = new SdkClient(t, { url: 'ws://127.0.0.1:1', signal: controller.signal, sendTimeoutMs: Infinity })
  const sent = client.send(hello)
  controller.abort()
  await t.rejects(sent, { code: 'MICS_CLIENT_CLOSED' })
  await t.rejects(client.send(hello), { code: 'MICS_CLIENT_CLOSED' })
  const late = new SdkClient(t, { url: 'ws://127.0.0.1:1', signal: controller.signal, sendTimeoutMs: Infinity })
  await t.rejects(late.client.send(hello), { code: 'MICS_CLIENT_CLOSED' })
  await t.rejects(late.client.connect(), { code: 'MICS_CLIENT_CLOSED' })
})

t.test('a client that was closed listens to its signal no more', async t => {
  const gateway = await ScriptedGateway.start(t)
  const listeners = new Set<() => void>()
  const signal = {
    aborted: false,
    addEventListener: (_: 'abort', listener: () => void) => { listeners.add(listener) },
    removeEventListener: (_: 'abort', listener: () => void) => { listeners.delete(listener) },
  }
  const alice = new SdkClient(t, { url: gateway.url, signal })
  alice.client.send(hello).catch(() => {})
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  t.equal(listeners.size, 1)
  await alice.client.close()
  t.equal(listeners.size, 0)
  await t.rejects(alice.client.send(hello), { code: 'MICS_CLIENT_CLOSED' })
  alice.client.connect()
  t.equal(listeners.size, 1)
  const accepted = await gateway.next()
  accepted.socket.close(4001)
  await alice.untilState('closed')
  await t.rejects(alice.client.send(hello), { code: 'MICS_CONNECTION_ENDED' })
  t.equal(listeners.size, 0)
})

t.test('every listener hears of the states in the order in which they came, also where one of them causes the next', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const heard: string[] = []
  alice.client.on('state', ({ name }) => { if (name === 'connected') alice.client.close() })
  alice.client.on('state', ({ name }) => heard.push(name))
  const connected = alice.client.connect()
  await gateway.letIn()
  await connected
  await alice.untilState('offline')
  t.strictSame(heard, ['connecting', 'connected', 'offline'])
})

t.test('a listener that was taken back is not called any more, not even for the event that goes round', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  const heard: string[] = []
  alice.client.on('state', () => off())
  const off = alice.client.on('state', ({ name }) => heard.push(name))
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  t.strictSame(heard, [])
})

t.test('a message whose fields are no text is refused with words, and null is as good as none', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { client } = new SdkClient(t, { url: gateway.url })
  for (const [message, problem] of [
    [undefined, /the message must be/],
    [{ groupId: 'team', toUserId: 7, body: '' }, /toUserId must be/],
    [{ groupId: [], toUserId: 'bob', body: '' }, /groupId must be/],
    [{ toUserId: 'bob', body: '', msgId: '\ud800' }, /msgId must be/],
  ] as const) {
    await t.rejects(client.send(message as unknown as OutgoingMessage), { code: 'MICS_INVALID_ARGUMENT', message: problem })
  }
  client.connect()
  const accepted = await gateway.letIn()
  client.send({ groupId: 'team', toUserId: null, body: '' } as unknown as OutgoingMessage).catch(() => {})
  t.match(await accepted.untilMessages(1), [{ groupId: 'team', toUserId: '' }])
})
