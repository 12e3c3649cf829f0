import t, { type Test } from 'tap'
import { nodeTransport } from '../../../sdk/client/src/node-transport.js'
import type { Transport } from '../../../sdk/client/src/transport.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { until } from '../../helpers/until.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

/** A platform that wakes its clients when a test says so. */
class WakingTransport implements Transport {
  readonly open: Transport['open'] = nodeTransport().open
  readonly listeners = new Set<() => void>()

  onWake (listener: () => void): () => void {
    this.listeners.add(listener)
    return () => { this.listeners.delete(listener) }
  }

  wake (): void {
    for (const listener of this.listeners) listener()
  }
}

t.test('heartbeats keep an idle connection for longer than the gateway\'s window', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 3 }
  const alice = new SdkClient(t, { url: wsUrl(gateway.url), heartbeatTimeoutMs: 3000 })
  let received = 0
  const five = new Promise<void>(resolve => alice.client.on('frame', direction => {
    if (direction === 'in' && ++received === 5) resolve()
  }))
  await alice.client.connect()
  await five
  t.strictSame(alice.stateNames, ['connecting', 'connected'])
})

t.test('a gateway that sends nothing at all any more is left', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, heartbeatTimeoutMs: 300 })
  alice.client.connect()
  const silent = await gateway.letIn()
  await gateway.letIn()
  t.equal(silent.heartbeats, 2)
  await alice.until(() => alice.stateNames.length === 5)
  t.match(alice.states[2], { name: 'waiting', code: 1006, reason: 'the gateway does not answer heartbeats' })
})

t.test('any frame from the gateway is a sign of life', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, heartbeatTimeoutMs: 600 })
  alice.client.connect()
  const accepted = await gateway.letIn()
  for (let i = 1; i <= 5; i++) {
    await accepted.until(() => accepted.heartbeats >= i)
    accepted.deliver({ msgId: `${i}` })
  }
  t.strictSame(alice.stateNames, ['connecting', 'connected'])
})

t.test('a client that is woken while it waits connects at once', async t => {
  const transport = new WakingTransport()
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport, random: () => 1 })
  alice.client.connect()
  const accepted = await gateway.next()
  accepted.socket.close(4503)
  await alice.untilState('waiting')
  transport.wake()
  t.equal(alice.client.state.name, 'connecting')
  await gateway.letIn()
  await alice.untilState('connected')
  await alice.client.close()
  t.equal(transport.listeners.size, 0, 'what is closed is not woken')
})

t.test('a client that is woken asks at once whether the gateway is there', async t => {
  const transport = new WakingTransport()
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await alice.untilState('connected')
  transport.wake()
  transport.wake()
  await accepted.until(() => accepted.heartbeats === 1)
  accepted.deliver({})
  await alice.until(() => alice.messages.length === 1)
  t.equal(accepted.heartbeats, 1)
  transport.wake()
  // This time it says nothing.
  await gateway.letIn()
  t.equal(accepted.heartbeats, 2)
  await alice.until(() => alice.stateNames.length === 5)
  t.match(alice.states[2], { name: 'waiting', code: 1006 })
})

/** A platform whose heartbeats come when a test says so, and whose sockets have so many bytes left to send. */
class BeatingTransport extends WakingTransport {
  bufferedBytes = 0
  looks = 0
  beat: () => void = () => {}

  override readonly open: Transport['open'] = (...args) => {
    const socket = nodeTransport().open(...args)
    return {
      ...socket,
      send: data => {
        this.bufferedBytes += data.length
        socket.send(data)
      },
      bufferedBytes: () => {
        this.looks++
        return this.bufferedBytes
      },
    }
  }

  every (_: number, listener: () => void): () => void {
    this.beat = listener
    return () => {}
  }
}

/** Alice, connected, and her heartbeats in the hands of the test. */
async function connectBeating (t: Test) {
  const transport = new BeatingTransport()
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, transport })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await alice.untilState('connected')
  return { transport, gateway, alice, accepted }
}

t.test('a gateway is not silent while a large message is leaving, however slowly', async t => {
  const { transport, alice, accepted } = await connectBeating(t)
  alice.client.send({ toUserId: 'bob', body: new Uint8Array(100_000) }).catch(() => {})
  for (let i = 0; i < 5; i++) {
    transport.bufferedBytes -= 10_000
    transport.beat()
  }
  t.equal(alice.client.state.name, 'connected')
  for (let i = 0; i < 3; i++) transport.beat()
  t.equal(alice.client.state.name, 'waiting', 'nothing leaves any more')
  await accepted.closed
})

t.test('a client that is woken while a large message is leaving waits for it', async t => {
  const { transport, alice, accepted } = await connectBeating(t)
  alice.client.send({ toUserId: 'bob', body: new Uint8Array(100_000) }).catch(() => {})
  transport.wake()
  transport.bufferedBytes -= 10_000
  await until('the time for an answer is over', () => transport.looks >= 3)
  t.equal(alice.client.state.name, 'connected')
  accepted.deliver({})
  await alice.until(() => alice.messages.length === 1)
})

t.test('a machine that has slept asks at once whether the gateway is still there', async t => {
  const now = Date.now
  t.teardown(() => { Date.now = now })
  const { transport, gateway, alice } = await connectBeating(t)
  Date.now = () => now() + 3_600_000
  transport.beat()
  // It says nothing, and no other beat comes.
  await gateway.letIn()
  await alice.until(() => alice.stateNames.length === 5)
  t.match(alice.states[2], { name: 'waiting', code: 1006, reason: 'the gateway does not answer heartbeats' })
})

t.test('a platform may have a timer of its own for heartbeats', async t => {
  const gateway = await ScriptedGateway.start(t)
  const timers: Array<{ ms: number, listener: () => void }> = []
  const alice = new SdkClient(t, {
    url: gateway.url,
    transport: {
      ...nodeTransport(),
      every: (ms, listener) => {
        const timer = { ms, listener }
        timers.push(timer)
        return () => timers.splice(timers.indexOf(timer), 1)
      },
    },
  })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await alice.untilState('connected')
  t.match(timers, [{ ms: 10_000 }])
  timers[0].listener()
  await accepted.until(() => accepted.heartbeats === 1)
  await alice.client.close()
  t.strictSame(timers, [])
})
