import { setTimeout as delay } from 'node:timers/promises'
import type { MessageInitShape } from '@bufbuild/protobuf'
import t from 'tap'
import type { GetOfflineMessagesResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { AckStatus } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { holdFor, ids, Latch, numbered, pullGateway, pullsOf, stored } from '../helpers/pull-gateway.js'
import { until } from '../helpers/until.js'

t.test('pages of 100 are delivered in order after connect_ack, up to ten', async t => {
  const gateway = await pullGateway(t)
  const all = numbered('s', 2000)
  gateway.hooks.offline = ({ cursor, maxMessages }) => {
    const from = Number(cursor || '0')
    return {
      ok: true,
      messages: stored(...all.slice(from, from + maxMessages)),
      nextCursor: `${from + maxMessages}`,
      hasMore: true,
    }
  }
  const bob = await gateway.connect('bob', { deviceId: 'phone' })
  await bob.waitMessages(1000)
  await bob.roundTrip()
  t.equal(bob.frames[0].payload.case, 'connectAck')
  t.same(ids(bob), all.slice(0, 1000))
  t.match(bob.messages[0], { userId: 'dave', deviceId: 'd1', msgId: 's0', toUserId: 'bob', timestampMs: 1n })
  const asked = pullsOf(gateway, 'bob')
  t.same(asked.map(({ cursor }) => cursor), ['', '100', '200', '300', '400', '500', '600', '700', '800', '900'])
  t.ok(asked.every(({ deviceId, maxMessages }) => deviceId === 'phone' && maxMessages === 100))
  t.equal(await gateway.metric('mics_deliveries_total', { tenant: 't1', path: 'offline_pull' }), 1000)
})

t.test('a page of more than was asked for is cut', async t => {
  const gateway = await pullGateway(t)
  gateway.hooks.offline = () => ({ ok: true, messages: stored(...numbered('s', 150)) })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(100)
  await bob.roundTrip()
  t.same(ids(bob), numbered('s', 100))
})

const page = (cursor: string): string[] => numbered(`${cursor || 'first'}-`, 2)

interface Ending {
  answer: (cursor: string) => MessageInitShape<typeof GetOfflineMessagesResponseSchema>
  /** Cursors of the pages that are delivered. */
  delivers: string[]
  calls: number
}

const endings: Record<string, Ending> = {
  'has_more is false, whatever the cursor': {
    answer: () => ({ nextCursor: 'x', hasMore: false }), delivers: [''], calls: 1,
  },
  'there is no cursor': {
    answer: () => ({ hasMore: true }), delivers: [''], calls: 1,
  },
  'the cursor is the same again': {
    answer: () => ({ nextCursor: 'x', hasMore: true }), delivers: ['', 'x'], calls: 2,
  },
  'the cursors go round in a circle': {
    answer: cursor => ({ nextCursor: cursor === 'a' ? 'b' : 'a', hasMore: true }), delivers: ['', 'a', 'b'], calls: 3,
  },
  'the cursor is the first one again': {
    answer: cursor => ({ nextCursor: cursor === '' ? 'x' : '', hasMore: true }), delivers: ['', 'x'], calls: 2,
  },
  'the cursor is absurdly long': {
    answer: () => ({ nextCursor: 'x'.repeat(10_000), hasMore: true }), delivers: [''], calls: 1,
  },
  'a later page fails': {
    answer: cursor => {
      if (cursor === 'b') throw new Error('the connection is cut')
      return { nextCursor: cursor === '' ? 'a' : 'b', hasMore: true }
    },
    delivers: ['', 'a'],
    calls: 3,
  },
  'a later page is refused': {
    answer: cursor => cursor === '' ? { nextCursor: 'x', hasMore: true } : { ok: false, messages: [] },
    delivers: [''],
    calls: 2,
  },
}

for (const [when, { answer, delivers, calls }] of Object.entries(endings)) {
  t.test(`pulling ends when ${when}`, async t => {
    const gateway = await pullGateway(t)
    const alice = await gateway.connect('alice')
    gateway.hooks.offline = ({ cursor }) => ({ ok: true, messages: stored(...page(cursor)), ...answer(cursor) })
    const bob = await gateway.connect('bob')
    // Live messages come when the pull has ended.
    await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
    await bob.until(() => ids(bob).includes('live'))
    t.same(ids(bob), [...delivers.flatMap(page), 'live'])
    t.equal(pullsOf(gateway, 'bob').length, calls)
  })
}

const failures: Record<string, (gateway: TestGateway) => void> = {
  'says no': gateway => { gateway.hooks.offline = () => ({ ok: false, reason: 'not now', messages: stored('never') }) },
  'never answers': gateway => { gateway.hooks.raw.set('get-offline-messages', () => {}) },
  'answers 500': gateway => { gateway.hooks.raw.set('get-offline-messages', response => { response.writeHead(500).end() }) },
  'answers with garbage': gateway => {
    gateway.hooks.raw.set('get-offline-messages', response => { response.end(Buffer.from([0xff, 0xff, 0xff])) })
  },
}

for (const [what, breakHook] of Object.entries(failures)) {
  t.test(`where the hook ${what}, the connection goes on: first what waited here, then live messages`, async t => {
    const gateway = await pullGateway(t, {}, startGateway)
    const alice = await gateway.connect('alice')
    for (const msgId of ['waiting0', 'waiting1']) await alice.sendAndAck({ toUserId: 'bob', msgId })
    breakHook(gateway)
    const bob = await gateway.connect('bob')
    t.match(await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
    await bob.waitMessages(3)
    t.match(await bob.sendAndAck({ toUserId: 'alice' }), { status: AckStatus.SENT })
    t.same(ids(bob), ['waiting0', 'waiting1', 'live'])
  })
}

t.test('live messages are not held up for longer than one call may take, however many pages there are', async t => {
  const gateway = await pullGateway(t, {}, startGateway)
  const alice = await gateway.connect('alice')
  const live = new Latch()
  // Each page is slow, though within its time, until the live message has arrived.
  gateway.hooks.offline = async ({ cursor }) => {
    const no = Number(cursor || '0')
    await Promise.race([live.opened, delay(75)])
    return { ok: true, messages: stored(`s${no}`), nextCursor: `${no + 1}`, hasMore: true }
  }
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
  await bob.until(() => ids(bob).includes('live'))
  live.open()
  t.notOk(ids(bob).includes('s9'), 'it did not wait for the last page')
})

t.test('what the tenant kept comes before what waited here, and a message that is in both comes once', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  for (const msgId of ['both', 'here']) await alice.sendAndAck({ toUserId: 'bob', msgId })
  gateway.hooks.offline = ({ userId }) => ({
    ok: true,
    messages: userId === 'bob'
      ? [...stored('old', 'here'), { tenantId: 't1', userId: 'alice', deviceId: 'd1', msgId: 'both', toUserId: 'bob' }]
      : [],
  })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(4)
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
  await bob.until(() => ids(bob).includes('live'))
  t.same(bob.messages.map(({ userId, msgId }) => `${userId} ${msgId}`),
    ['dave old', 'dave here', 'alice both', 'alice here', 'alice live'], 'the same id of another sender is another message')
  t.equal(await gateway.metric('mics_offline_messages'), 0)
})

t.test('a connection that drops while its messages are pulled leaves nothing behind, and loses nothing', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'waiting' })
  const gone = new Latch()
  gateway.hooks.offline = async () => {
    await gone.opened
    return { ok: true, messages: stored('kept') }
  }
  const bob = await gateway.connect('bob')
  await bob.drop()
  await until('bob is gone', () => gateway.server.app.connections.ofUser('t1', 'bob').length === 0)
  // On a busy machine the hold may have ended before the gateway heard that the connection was gone.
  const wasWritten = await gateway.metric('mics_offline_delivered_total') > 0
  gone.open()
  const again = await gateway.connect('bob')
  const expected = wasWritten ? ['kept'] : ['kept', 'waiting']
  await again.waitMessages(expected.length)
  await again.roundTrip()
  t.same(ids(again), expected)
  t.equal(gateway.server.app.connections.count, 2)
})

t.test('a page without messages is no end', async t => {
  const gateway = await pullGateway(t)
  gateway.hooks.offline = ({ cursor }) => cursor === ''
    ? { ok: true, nextCursor: 'x', hasMore: true }
    : { ok: true, messages: stored('behind') }
  const bob = await gateway.connect('bob')
  await bob.waitMessages(1)
  t.same(ids(bob), ['behind'])
})

t.test('a tenant that does not ask for it is not called', async t => {
  const gateway = await startPatientGateway(t)
  await (await gateway.connect('bob')).roundTrip()
  t.equal(gateway.hooks.callsOf('get-offline-messages').length, 0)
})

t.test('a message that came live before the page that has it comes once', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  holdFor(gateway, 1)
  const live = new Latch()
  gateway.hooks.offline = async () => {
    await live.opened
    const [both, other] = stored('both', 'other')
    return { ok: true, messages: [{ ...both, userId: 'alice' }, other] }
  }
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'both' })
  await bob.waitMessages(1)
  live.open()
  await bob.waitMessages(2)
  await bob.roundTrip()
  t.same(ids(bob), ['both', 'other'])
})

t.test('live messages that wait for the pull are the session\'s, and the offline buffer\'s bounds are not theirs', async t => {
  const gateway = await pullGateway(t)
  const alice = await gateway.connect('alice')
  const sent = new Latch()
  gateway.hooks.offline = async () => {
    await sent.opened
    return { ok: true, messages: stored('first') }
  }
  const bob = await gateway.connect('bob')
  for (let i = 0; i < 300; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `live${i}` })
  sent.open()
  await bob.waitMessages(301)
  t.same(ids(bob), ['first', ...numbered('live', 300)])
  t.equal(await gateway.metric('mics_offline_evicted_total'), 0)
})
