import { setTimeout as delay } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import t, { type Test } from 'tap'
import { atOnce } from '../helpers/at-once.js'
import { AckStatus, body, MessageType, text, type TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

/** mulberry32: small, and the same everywhere. */
function random (seed: number): () => number {
  return () => {
    seed = seed + 0x6D2B79F5 | 0
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
  }
}

interface Jitter {
  /** The most check calls that ran at once. */
  max: number
  random: () => number
}

/** Check hooks answer after 0 to 40 ms. The seed is printed; ORDER_SEED repeats a run. */
function jitter (t: Test, gateway: TestGateway): Jitter {
  const seed = Number(process.env.ORDER_SEED ?? Math.floor(Math.random() * 2 ** 31))
  t.comment(`ORDER_SEED=${seed}`)
  const state: Jitter = { max: 0, random: random(seed) }
  let running = 0
  gateway.hooks.check = async ({ message }) => {
    state.max = Math.max(state.max, ++running)
    await delay(state.random() * 40)
    running--
    return { allow: !text(message ?? { msgBody: body('') }).startsWith('deny') }
  }
  return state
}

/** The server's side of the only connection of a user. */
function serverSide (gateway: TestGateway, user: string): WebSocket {
  const [session] = gateway.server.app.connections.ofUser('t1', user)
  return (session as unknown as { ws: WebSocket }).ws
}

const groups = { g0: ['u0', 'u1', 'u2', 'alice'], g1: ['u2', 'u3', 'u4'] }
const users = ['u0', 'u1', 'u2', 'u3', 'u4']

for (const maxInflight of [undefined, 4]) {
  t.test(`500 messages arrive in order per conversation, ${maxInflight ?? 'by default 32'} at once`, async t => {
    const gateway = await startPatientGateway(t, maxInflight === undefined ? {} : { SESSION_MAX_INFLIGHT: `${maxInflight}` })
    for (const [group, members] of Object.entries(groups)) gateway.hooks.groups.set(group, members)
    const hooks = jitter(t, gateway)
    const alice = await gateway.connect('alice')
    const receivers = new Map<string, TestClient>()
    for (const user of users) receivers.set(user, await gateway.connect(user))

    const conversations = [...users, ...Object.keys(groups)]
    const sentTo: string[] = []
    for (let i = 0; i < 500; i++) {
      const to = conversations[Math.floor(hooks.random() * conversations.length)]
      sentTo.push(to)
      alice.send({
        msgId: `${i}`,
        msgBody: body(`${i}`),
        ...(to in groups ? { msgType: MessageType.GROUP_CHAT, groupId: to } : { toUserId: to }),
      })
    }
    const acks = await alice.waitAcks(500)
    await alice.roundTrip()
    t.equal(acks.length, 500)
    t.equal(new Set(acks.map(({ msgId }) => msgId)).size, 500, 'one ack each')
    t.same(acks.filter(({ status }) => status !== AckStatus.SENT), [])

    for (const [user, client] of receivers) {
      await client.roundTrip()
      const own = conversations.filter(to => to === user || groups[to as keyof typeof groups]?.includes(user))
      for (const conversation of own) {
        const received = client.messages.filter(message => (message.groupId || message.toUserId) === conversation)
        const expected = sentTo.flatMap((to, i) => to === conversation ? [`${i}`] : [])
        t.same(received.map(text), expected, `${user} in ${conversation}`)
      }
    }
    t.ok(hooks.max > 1, 'hooks ran side by side')
    t.ok(hooks.max <= (maxInflight ?? 32), `${hooks.max} hooks at once`)
  })
}

t.test('messages that are denied do not hold up the rest', async t => {
  const gateway = await startPatientGateway(t)
  jitter(t, gateway)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  for (let i = 0; i < 90; i++) alice.send({ toUserId: 'bob', msgBody: body(i % 3 === 1 ? `deny ${i}` : `${i}`) })
  const acks = await alice.waitAcks(90)
  await bob.roundTrip()
  t.same(bob.messages.map(text), Array.from({ length: 90 }, (_, i) => i).filter(i => i % 3 !== 1).map(String))
  t.equal(acks.filter(({ status }) => status === AckStatus.FAILED).length, 30)
})

t.test('reading from the socket pauses beyond SESSION_MAX_INFLIGHT, and goes on', async t => {
  const gateway = await startPatientGateway(t, { SESSION_MAX_INFLIGHT: '2' })
  let letGo = (): void => {}
  const held = new Promise<void>(resolve => { letGo = resolve })
  gateway.hooks.check = async () => {
    await held
    return { allow: true }
  }
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const ws = serverSide(gateway, 'alice')
  t.notOk(ws.isPaused)
  atOnce(alice, () => { for (let i = 0; i < 2; i++) alice.send({ toUserId: 'bob', msgBody: body(`${i}`) }) })
  await until('two checks', () => gateway.hooks.callsOf('check-message').length === 2)
  t.notOk(ws.isPaused, 'up to the limit it reads')
  atOnce(alice, () => { for (let i = 2; i < 30; i++) alice.send({ toUserId: 'bob', msgBody: body(`${i}`) }) })
  await until('the pause', () => ws.isPaused)
  letGo()
  await alice.waitAcks(30)
  await until('the end of the pause', () => !ws.isPaused)
  t.same((await bob.waitMessages(30)).map(text), Array.from({ length: 30 }, (_, i) => `${i}`))
  await alice.roundTrip()
})

t.test('a client that is not read because its hooks are slow is not closed for its silence', async t => {
  const gateway = await startGateway(t, { SESSION_MAX_INFLIGHT: '1', HOOK_BREAKER_FAILURE_THRESHOLD: '100' })
  // Every check runs into its 150 ms: twenty of them take three times the heartbeat window.
  gateway.hooks.config = { heartbeatTimeoutSeconds: 1 }
  gateway.hooks.raw.set('check-message', () => {})
  const alice = await gateway.connect('alice')
  const startedAt = Date.now()
  atOnce(alice, () => { for (let i = 0; i < 20; i++) alice.send({ toUserId: 'bob' }) })
  const acks = await alice.waitAcks(20)
  t.ok(Date.now() - startedAt > 2000, 'longer than the window: else this shows nothing')
  t.ok(acks.every(({ status }) => status === AckStatus.SENT))
  await alice.roundTrip()
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 20)
  t.equal((await alice.close(), await alice.closed).code, 1000)
})

t.test('a flood of frames that need no hook is read in turns, and answered whole', async t => {
  const gateway = await startPatientGateway(t, { SESSION_MAX_INFLIGHT: '4' })
  gateway.hooks.config = { checkMessageDisabled: true }
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  atOnce(alice, () => { for (let i = 0; i < 2000; i++) alice.send({ toUserId: 'bob', msgBody: body(`${i}`) }) })
  t.same((await bob.waitMessages(2000)).map(text), Array.from({ length: 2000 }, (_, i) => `${i}`))
  t.same((await alice.waitAcks(2000)).map(({ msgId }) => msgId), Array.from({ length: 2000 }, (_, i) => `m${i + 1}`))
})
