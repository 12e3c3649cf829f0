import t, { type Test } from 'tap'
import { atOnce } from '../helpers/at-once.js'
import { AckStatus, body, MessageType, type TestClient } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'
import { connectStalled, fillKernel, unsentBytes } from '../helpers/stalled.js'

const LIMIT = 256 * 1024
const FRAME = 64 * 1024

const ids = (client: TestClient): string[] => client.messages.map(({ msgId }) => msgId)
const fillIds = (count: number): string[] => Array.from({ length: count }, (_, i) => `fill${i}`)
const groupIds = (count: number): string[] => Array.from({ length: count }, (_, i) => `g${i}`)

/** Connects some users at a time: all at once would be a storm, which the gateway sheds. */
async function connectAll (gateway: TestGateway, users: string[]): Promise<TestClient[]> {
  const clients: TestClient[] = []
  for (let i = 0; i < users.length; i += 10) {
    clients.push(...await Promise.all(users.slice(i, i + 10).map(async user => await gateway.connect(user))))
  }
  return clients
}

function gatewayWithLimit (t: Test, limit = LIMIT): Promise<TestGateway> {
  return startGateway(t, {
    WS_MAX_BUFFERED_BYTES: `${limit}`,
    HOOK_QUEUE_TIMEOUT_MS: '1000',
    OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1000',
    OFFLINE_BUFFER_MAX_BYTES_PER_USER: `${64 * 1024 * 1024}`,
  })
}

t.test('a stalled reader in a group of 200 is closed; the others get everything', async t => {
  const gateway = await gatewayWithLimit(t)
  const members = Array.from({ length: 198 }, (_, i) => `u${i}`)
  gateway.hooks.groups.set('g', ['alice', 'stalled', ...members])
  const alice = await gateway.connect('alice')
  const others = await connectAll(gateway, members)
  const stalled = await connectStalled(t, gateway, 'stalled')
  const fills = await fillKernel(gateway, alice, 'stalled', 30_000)
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0, 'within the limit it may be slow')

  let most = 0
  let sent = 0
  // One after another until it happens, and some more for the time after.
  for (let after = 0; after < 5; sent++) {
    const ack = await alice.sendAndAck({
      msgId: `g${sent}`, msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: Buffer.alloc(10_000),
    })
    if (ack.status !== AckStatus.SENT || ack.offlineSkippedUsers > 0) t.fail(`${ack.msgId}: ${ack.reason}`)
    most = Math.max(most, unsentBytes(gateway, 'stalled'))
    if (await gateway.metric('mics_outbound_overflows_total', { tenant: 't1' }) > 0) after++
  }
  t.ok(most > 0 && most <= LIMIT, `at most ${most} bytes were queued`)
  for (const other of others) {
    await other.waitMessages(sent)
    if (ids(other).join() !== groupIds(sent).join()) t.same(ids(other), groupIds(sent))
  }
  t.equal(await gateway.metric('mics_outbound_overflows_total', { tenant: 't1' }), 1)
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 't1', code: '4101' }), 1)
  t.equal(gateway.server.app.connections.ofUser('t1', 'stalled').length, 0, 'it is out of the routes at once')

  stalled.ws.resume()
  t.match(await stalled.closed, { code: 4101, reason: /slow consumer/ }, 'it is told when it reads again')
  const back = await gateway.connect('stalled')
  const missed = fills + sent - stalled.messages.length
  t.ok(missed >= 5, `${missed} were not written`)
  await back.waitMessages(missed)
  await back.roundTrip()
  t.same([...ids(stalled), ...ids(back)], [...fillIds(fills), ...groupIds(sent)], 'nothing is lost, nothing comes twice')
})

t.test('acks count as well: a client that sends and never reads is closed', async t => {
  const gateway = await gatewayWithLimit(t, 16_384)
  gateway.hooks.config = { checkMessageDisabled: true }
  const alice = await gateway.connect('alice')
  const stalled = await connectStalled(t, gateway, 'stalled')
  await fillKernel(gateway, alice, 'stalled', 3000)
  // Its own messages go on being delivered: it is deaf, not dumb.
  const bob = await gateway.connect('bob')
  atOnce(stalled, () => { for (let i = 0; i < 400; i++) stalled.send({ toUserId: 'bob', msgId: `${'x'.repeat(100)}${i}` }) })
  await bob.waitMessages(1)
  stalled.ws.resume()
  t.equal((await stalled.closed).code, 4101)
  t.equal(await gateway.metric('mics_outbound_overflows_total', { tenant: 't1' }), 1)
})

t.test('a fast client that gets far more than the limit within one turn is not closed', async t => {
  const gateway = await startGateway(t, { WS_MAX_BUFFERED_BYTES: '16384', SESSION_MAX_INFLIGHT: '1024' })
  gateway.hooks.config = { checkMessageDisabled: true }
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const count = 1000
  atOnce(alice, () => {
    for (let i = 0; i < count; i++) alice.send({ toUserId: 'bob', msgId: `g${i}`, msgBody: Buffer.alloc(200) })
  })
  await bob.waitMessages(count)
  t.same(ids(bob), groupIds(count))
  await alice.waitAcks(count)
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0)
})

t.test('a frame larger than the limit reaches a client that reads', async t => {
  const gateway = await gatewayWithLimit(t, 16_384)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  for (let i = 0; i < 5; i++) {
    await alice.sendAndAck({ toUserId: 'bob', msgId: `g${i}`, msgBody: Buffer.alloc(FRAME) })
    await bob.waitMessages(i + 1)
    // What was received was taken by the kernel; the gateway has heard of it when it has answered.
    await bob.roundTrip()
  }
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0)
})

t.test('one user\'s stalled device does not keep messages from the other', async t => {
  const gateway = await gatewayWithLimit(t)
  const alice = await gateway.connect('alice')
  await connectStalled(t, gateway, 'bob', { deviceId: 'phone' })
  const laptop = await gateway.connect('bob', { deviceId: 'laptop' })
  const fills = await fillKernel(gateway, alice, 'bob', 30_000, 'phone')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'last', msgBody: body('last') }), { status: AckStatus.SENT })
  await laptop.until(() => ids(laptop).includes('last'))
  t.same(ids(laptop), [...fillIds(fills), 'last'])
})
