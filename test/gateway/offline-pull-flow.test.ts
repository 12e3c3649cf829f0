import t from 'tap'
import { AckStatus } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { connectStalled, unsentBytes } from '../helpers/stalled.js'
import { holdFor, ids, Latch, numbered, pullGateway, pullsOf, stored } from '../helpers/pull-gateway.js'
import { until } from '../helpers/until.js'

const LIMIT = 256 * 1024
const PAGE_SIZE = 100
/** Ten pages of 100 of these are more than the kernel takes for a client that does not read. */
const LARGE = 24_000

const large = (...msgIds: string[]) => stored(...msgIds).map(message => ({ ...message, msgBody: Buffer.alloc(LARGE) }))

/** Messages of a client whose acks take more than one of these. */
const answers = numbered('x'.repeat(100), 300)

/** Ten pages of large messages, `s0` to `s999`, to whoever asks. */
function tenPages ({ cursor }: { cursor: string }) {
  const from = Number(cursor)
  const to = from + PAGE_SIZE
  return {
    ok: true,
    messages: large(...numbered('s', to).slice(from)),
    nextCursor: `${to}`,
    hasMore: to < 10 * PAGE_SIZE,
  }
}

/** Resolves when the socket has taken no more of what waits for bob for a while. */
async function stuck (gateway: TestGateway): Promise<void> {
  let before = 0
  let looks = 0
  await until('the client is stuck', () => {
    const bytes = unsentBytes(gateway, 'bob')
    looks = bytes > LIMIT / 4 && bytes === before ? looks + 1 : 0
    before = bytes
    return looks === 20
  })
}

t.test('a second page that is slow does not make live messages wait once more', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  holdFor(gateway, 1)
  const live = new Latch()
  gateway.hooks.offline = async ({ cursor }) => {
    if (cursor === '') return { ok: true, messages: stored('first'), nextCursor: 'x', hasMore: true }
    await live.opened
    return { ok: true, messages: stored('second') }
  }
  const bob = await gateway.connect('bob')
  await bob.waitMessages(1)
  for (const msgId of ['live0', 'live1']) await alice.sendAndAck({ toUserId: 'bob', msgId })
  await bob.waitMessages(3)
  live.open()
  await bob.waitMessages(4)
  t.same(ids(bob), ['first', 'live0', 'live1', 'second'])
})

t.test('a client that reads slowly is asked for no more than it takes, and finds room for what else it gets', async t => {
  const gateway = await pullGateway(t, { WS_MAX_BUFFERED_BYTES: `${LIMIT}` })
  const alice = await gateway.connect('alice')
  holdFor(gateway, 1)
  gateway.hooks.offline = tenPages
  const bob = await connectStalled(t, gateway, 'bob')
  await stuck(gateway)
  // Live messages and answers to the client's own frames go on, while what was pulled waits.
  for (const msgId of ['live0', 'live1']) await alice.sendAndAck({ toUserId: 'bob', msgId, msgBody: Buffer.alloc(LARGE) })
  for (const msgId of answers) bob.send({ toUserId: 'alice', msgId })
  await alice.waitMessages(answers.length)
  t.ok(unsentBytes(gateway, 'bob') <= LIMIT)
  t.ok(pullsOf(gateway, 'bob').length < 10, `${pullsOf(gateway, 'bob').length} pages were asked for`)
  t.ok(await gateway.metric('mics_offline_pull_bytes') <= PAGE_SIZE * LARGE * 1.1, 'and one is here')

  bob.ws.resume()
  await bob.waitMessages(1002)
  await bob.roundTrip()
  t.equal(pullsOf(gateway, 'bob').length, 10)
  const all = ids(bob)
  t.same(all.filter(id => id.startsWith('s')), numbered('s', 1000))
  t.same(all.filter(id => id.startsWith('live')), ['live0', 'live1'])
  t.equal(bob.acks.length, answers.length)
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0)
  t.equal(await gateway.metric('mics_offline_pull_bytes'), 0)
})

t.test('what waits here also leaves room for answers to a client that reads slowly', async t => {
  const gateway = await pullGateway(t, {
    WS_MAX_BUFFERED_BYTES: `${LIMIT}`,
    OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1000',
    OFFLINE_BUFFER_MAX_BYTES_PER_USER: `${64 * 1024 * 1024}`,
  })
  gateway.hooks.config = { checkMessageDisabled: true }
  const alice = await gateway.connect('alice')
  for (let i = 0; i < 900; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `s${i}`, msgBody: Buffer.alloc(LARGE) })
  const bob = await connectStalled(t, gateway, 'bob')
  await stuck(gateway)
  for (const msgId of answers) bob.send({ toUserId: 'alice', msgId })
  await alice.waitMessages(answers.length)
  bob.ws.resume()
  await bob.waitMessages(900)
  await bob.waitAcks(answers.length)
  t.same(ids(bob), numbered('s', 900))
  t.equal(await gateway.metric('mics_outbound_overflows_total'), 0)
})

t.test('a connection that is gone is pulled nothing more for', async t => {
  const gateway = await pullGateway(t)
  const gone = new Latch()
  const asked = new Latch()
  gateway.hooks.offline = async ({ userId, cursor }) => {
    if (userId !== 'bob') return { ok: true }
    asked.open()
    await gone.opened
    // Without messages, too.
    return { ok: true, nextCursor: `${cursor}x`, hasMore: true }
  }
  const bob = await gateway.connect('bob')
  await asked.opened
  await bob.drop()
  await until('bob is gone', () => gateway.server.app.connections.ofUser('t1', 'bob').length === 0)
  gone.open()
  for (const user of ['carol', 'dora', 'erik']) await (await gateway.connect(user)).roundTrip()
  await until('the call has been answered', async () =>
    await gateway.metric('mics_hook_calls_total', { operation: 'get-offline-messages', result: 'ok' }) === 4)
  await (await gateway.connect('fred')).roundTrip()
  t.equal(pullsOf(gateway, 'bob').length, 1)
})

t.test('a connection that takes over in the middle of a pull gets all of it, and nothing of it is in the buffer', async t => {
  const gateway = await pullGateway(t, { WS_MAX_BUFFERED_BYTES: `${LIMIT}` })
  gateway.hooks.offline = tenPages
  const alice = await gateway.connect('alice')
  const old = await connectStalled(t, gateway, 'bob')
  await stuck(gateway)
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(1001)
  await bob.roundTrip()
  t.same(ids(bob), [...numbered('s', 1000), 'live'])
  t.equal(await gateway.metric('mics_offline_messages'), 0)
  old.ws.resume()
  t.match(await old.closed, { code: 4409 })
  t.equal(await gateway.metric('mics_offline_pull_bytes'), 0)
})

t.test('what was pulled for a client that died before it read is left with the tenant', async t => {
  const gateway = await pullGateway(t, { WS_MAX_BUFFERED_BYTES: `${LIMIT}` })
  gateway.hooks.offline = tenPages
  const dead = await connectStalled(t, gateway, 'bob')
  await stuck(gateway)
  dead.ws.terminate()
  await until('bob is gone', () => gateway.server.app.connections.ofUser('t1', 'bob').length === 0)
  await until('the pull has ended', async () => await gateway.metric('mics_offline_pull_bytes') === 0)
  t.equal(await gateway.metric('mics_offline_messages'), 0)
  t.ok(pullsOf(gateway, 'bob').length < 10)
})

t.test('a pull that is under way does not hold up a drain, and live messages that waited for it are kept', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  const asked = new Latch()
  gateway.hooks.offline = async () => {
    asked.open()
    return await new Promise<never>(() => {})
  }
  const bob = await gateway.connect('bob')
  await asked.opened
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  const warned = t.capture(gateway.server.app.log, 'warn')
  await gateway.server.close()
  t.match(await bob.closed, { code: 4200 })
  t.match(warned().map(({ args }) => args), [[{ messages: 1 }, 'messages for offline users end with this process']])
})
