import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { Scenario } from '../../lib/mock-gateway/scenario.js'
import { startMockServer, type MockServer } from '../../routes/mock/mock-server.js'
import { AckStatus, MessageType, TestClient, type ClientOptions } from '../helpers/client.js'
import { until } from '../helpers/until.js'
import { logOf, post } from './play.js'

interface TestMock extends MockServer {
  connect: (user: string, options?: ClientOptions) => Promise<TestClient>
}

async function startMock (t: Test, scenario: Scenario = {}, seed?: number): Promise<TestMock> {
  const mock = await startMockServer({ host: '127.0.0.1', port: 0, scenario, seed })
  t.teardown(() => mock.close())
  return { ...mock, connect: (user, options) => TestClient.connect(mock.url, user, options) }
}

t.test('without a scenario it is a friendly gateway: who the token says, acks, deliveries, heartbeats', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice', { asSubprotocol: true, deviceId: 'phone' })
  t.match(await alice.connectAck(), { code: 1000, tenantId: 't1', userId: 'alice', deviceId: 'phone' })
  t.equal(alice.ws.protocol, 'mics.v1')
  const bob = await mock.connect('', { token: 'bob' })
  const bobsOther = await mock.connect('bob', { deviceId: 'd2' })
  t.match(await alice.sendAndAck({ msgId: 'm1', toUserId: 'bob', msgBody: Buffer.from('hi'), userId: 'mallory' }), { status: AckStatus.SENT, reason: '' })
  for (const device of [bob, bobsOther]) {
    const [message] = await device.waitMessages(1)
    t.match(message, { userId: 'alice', deviceId: 'phone', tenantId: 't1', msgId: 'm1' })
  }
  await alice.roundTrip()
  t.strictSame(alice.messages, [])
})

t.test('a message to nobody there is held, and comes right after the connect_ack, once', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice')
  for (const msgId of ['1', '2', '3']) t.match(await alice.sendAndAck({ msgId, toUserId: 'bob' }), { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  const bob = await mock.connect('bob')
  t.strictSame((await bob.waitMessages(3)).map(({ msgId }) => msgId), ['1', '2', '3'])
  const other = await mock.connect('bob', { deviceId: 'd2' })
  await other.roundTrip()
  t.strictSame(other.messages, [])
})

t.test('a group is what the scenario says; what cannot be sent fails with the gateway\'s reasons', async t => {
  const mock = await startMock(t, { groups: { team: ['alice', 'bob'] }, maxMessageBytes: 100 })
  const alice = await mock.connect('alice')
  const bob = await mock.connect('bob')
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'team' }), { status: AckStatus.SENT })
  t.match(await bob.waitMessages(1), [{ groupId: 'team', userId: 'alice' }])
  const refused = [
    [{ msgType: MessageType.GROUP_CHAT, groupId: 'nobody' }, 'group members empty'],
    [{ msgType: MessageType.GROUP_CHAT }, 'missing group_id'],
    [{}, 'missing to_user_id'],
    [{ msgType: 7 as MessageType, toUserId: 'bob' }, 'invalid msg_type'],
    [{ toUserId: 'bob', msgBody: Buffer.alloc(101) }, 'msg_body_too_large'],
  ] as const
  for (const [fields, reason] of refused) t.match(await alice.sendAndAck(fields), { status: AckStatus.FAILED, reason })
})

t.test('a repeat is a duplicate, other content under its id a conflict', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice')
  const bob = await mock.connect('bob')
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { reason: '' })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: 'duplicate' })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'carol' }), { status: AckStatus.FAILED, reason: 'msg_id conflict' })
  await bob.roundTrip()
  t.equal(bob.messages.length, 1)
})

t.test('a newer connection of a device takes the place of the older one', async t => {
  const mock = await startMock(t)
  const older = await mock.connect('alice')
  const newer = await mock.connect('alice')
  t.match(await older.closed, { code: 4409 })
  await newer.roundTrip()
  t.equal(mock.gateway.connections.length, 1)
})

t.test('what is missing in the URL is said with the gateway\'s close codes', async t => {
  const mock = await startMock(t)
  t.match(await TestClient.open(mock.url, { tenantId: '' }).closed, { code: 4002 })
  t.match(await TestClient.open(mock.url, { token: '' }).closed, { code: 4001 })
  t.match(await TestClient.open(mock.url, { deviceId: '' }).closed, { code: 4001 })
})

t.test('a client that says nothing is closed with 4100', async t => {
  const mock = await startMock(t, { heartbeatTimeoutMs: 50 })
  t.match(await TestClient.open(mock.url).closed, { code: 4100 })
})

t.test('frames that are none are answered with 4400, those too large with 4401, and the connection goes on', async t => {
  const mock = await startMock(t, { maxMessageBytes: 10 })
  const alice = await mock.connect('alice')
  alice.sendRaw('text')
  alice.sendRaw(Buffer.from('ff', 'hex'))
  alice.sendRaw(Buffer.alloc(70_000))
  t.strictSame((await alice.waitErrors(3)).map(({ code }) => code), [4400, 4400, 4401])
  await alice.roundTrip()
})

t.test('its log says what was seen and done, with the number of the connection', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice', { deviceId: 'phone' })
  await alice.sendAndAck({ msgId: 'm1', toUserId: 'bob', msgBody: Buffer.from('hi') })
  await alice.close()
  await until('it has seen the end', async () => (await logOf(mock.url)).some(({ what }) => what === 'closed'))
  const log = await logOf(mock.url)
  t.strictSame(log.map(({ what }) => what), ['connect', 'connect_ack', 'message', 'processed', 'ack', 'closed'])
  t.strictSame(log.map(({ seq }) => seq), [1, 2, 3, 4, 5, 6])
  t.ok(log.every(({ connection, userId, deviceId }) => connection === 1 && userId === 'alice' && deviceId === 'phone'))
  t.match(log[2], { msgId: 'm1', toUserId: 'bob', bodyHex: '6869' })
  const later = await (await fetch(`${mock.url}/mock/log?after=5`)).text()
  t.match(JSON.parse(later), { seq: 6, what: 'closed', code: 1000 })
})

t.test('its log keeps the latest 10,000 entries', async t => {
  const mock = await startMock(t)
  for (let number = 1; number <= 25_000; number++) mock.gateway.log.add('something', { number })
  const kept = mock.gateway.log.after(0)
  t.equal(kept.length, 10_000)
  t.match(kept[0], { seq: 15_001, number: 15_001 })
})

t.test('a test delivers and closes by HTTP', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice')
  t.strictSame(await post(mock.url, 'deliver', { tenantId: 't1', from: 'bob', toUserId: 'alice', msgId: 'b-{n}', body: 'hi', count: 2 }), { delivered: 2, held: 0 })
  t.strictSame((await alice.waitMessages(2)).map(({ msgId }) => msgId), ['b-1', 'b-2'])
  t.match(await (await fetch(`${mock.url}/mock/connections`)).json(), [{ userId: 'alice', number: 1 }])
  t.strictSame(await post(mock.url, 'close', { userId: 'bob' }), { closed: 0 })
  t.strictSame(await post(mock.url, 'close', { userId: 'alice', code: 4429, reason: 'enough' }), { closed: 1 })
  t.strictSame(await alice.closed, { code: 4429, reason: 'enough' })
  const again = await mock.connect('alice')
  t.strictSame(await post(mock.url, 'close', { connection: 2 }), { closed: 1 })
  t.match(await again.closed, { code: 1006 })
})

t.test('what is asked for wrongly by HTTP is refused with what is wrong', async t => {
  const mock = await startMock(t)
  await t.rejects(post(mock.url, 'deliver', { toUserId: 'alice', msgId: '1' }), /400 .*must have required property 'from'/)
  await t.rejects(post(mock.url, 'deliver', { from: 'bob', msgId: '1' }), /400 .*either toUserId or groupId is needed/)
  await t.rejects(post(mock.url, 'close', { user: 'alice' }), /400 .*must NOT have additional properties/)
  await t.rejects(post(mock.url, 'close', { code: 1006 }), /400/)
  await t.rejects(post(mock.url, 'scenario', { rules: [{ when: { event: 'message' }, do: { dorp: 'half' } }] }),
    /400 .*rules\[0\]\.do\.dorp is not known; there may be .*drop/)
})

t.test('a new scenario begins anew: connections end, what was held and sent is forgotten', async t => {
  const mock = await startMock(t)
  const alice = await mock.connect('alice')
  await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' })
  await post(mock.url, 'scenario', { tokens: { secret: 'alice' } })
  t.match(await alice.closed, { code: 1006 })
  const again = await mock.connect('alice', { token: 'secret' })
  t.match(await again.connectAck(), { userId: 'alice' })
  t.match(await again.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { reason: '' }, 'no duplicate')
  t.match((await logOf(mock.url))[0], { seq: 1, what: 'connect', connection: 1, ofDevice: 1 })
})

t.test('what one connection could not be sent is held for the next', async t => {
  const mock = await startMock(t, { rules: [{ when: { event: 'delivery', connection: 1 }, do: { answer: { delayMs: 60_000 } } }] })
  const bob = await mock.connect('bob')
  await post(mock.url, 'deliver', { tenantId: 't1', from: 'alice', toUserId: 'bob', msgId: '{n}', count: 3 })
  bob.ws.terminate()
  await bob.closed
  const next = await mock.connect('bob')
  t.strictSame((await next.waitMessages(3)).map(({ msgId }) => msgId), ['1', '2', '3'])
})

t.test('a refused upgrade has the status and Retry-After of the scenario', async t => {
  const mock = await startMock(t, { rules: [{ when: { event: 'connect' }, do: { refuse: { status: 503, retryAfterSeconds: 7 } } }] })
  const ws = new WebSocket(`${mock.url.replace('http', 'ws')}/ws?tenantId=t&deviceId=d&token=k`)
  ws.on('error', () => {})
  const [, response] = await once(ws, 'unexpected-response')
  t.match(response, { statusCode: 503, headers: { 'retry-after': '7' } })
  response.destroy()
})

t.test('the seed decides what is random', async t => {
  const scenario: Scenario = { rules: [{ when: { event: 'message', chance: 0.5 }, do: { fail: { reason: 'bad luck' } } }] }
  const outcomes = async (seed: number): Promise<string> => {
    const mock = await startMock(t, scenario, seed)
    const alice = await mock.connect('alice')
    for (let count = 0; count < 40; count++) alice.send({ toUserId: 'bob' })
    return (await alice.waitAcks(40)).map(({ status }) => status).join('')
  }
  const first = await outcomes(7)
  t.equal(await outcomes(7), first)
  t.not(await outcomes(8), first)
  t.match(first, /^(?=.*0)(?=.*1)/)
})

t.test('the first rule that fits decides, as often as it may', async t => {
  const mock = await startMock(t, {
    rules: [
      { when: { event: 'message', msgId: '^x' }, times: 1, do: { fail: { reason: 'once' } } },
      { when: { event: 'message', nth: { from: 3, every: 2 } }, do: { fail: { reason: 'odd' } } },
    ],
  })
  const alice = await mock.connect('alice')
  for (const msgId of ['x1', 'x2', 'x3', 'x4', 'x5']) alice.send({ msgId, toUserId: 'bob' })
  t.strictSame((await alice.waitAcks(5)).map(({ reason }) => reason), ['once', '', 'odd', '', 'odd'])
})
