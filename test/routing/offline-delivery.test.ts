import t from 'tap'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import type { Member } from '../../lib/node-directory/node-directory.js'
import { homeOf } from '../../lib/offline/home.js'
import type { OfflineLimits } from '../../lib/offline/offline-buffer.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { OfflineDelivery } from '../../lib/routing/offline-delivery.js'
import type { Session } from '../../lib/session/session.js'
import { aMember, TestDirectory } from '../cluster/test-directory.js'
import { aMessage } from '../helpers/message.js'
import { setup as setupBuffer } from '../offline/buffer.js'

const TTL_SECONDS = 60

/** Node 1 of three, and alice who sends. */
function setup (
  { settleMs = 10_000, offlineUseHookPull = false, ...limits }:
    Partial<OfflineLimits> & { settleMs?: number, offlineUseHookPull?: boolean } = {}
) {
  const self = aMember('node-1', 'http://node-1:8081')
  const directory = new TestDirectory(self)
  const members = [self, aMember('node-2', 'http://node-2:8081'), aMember('node-3', 'http://node-3:8081')]
  for (const member of members) directory.add(member)
  const { buffer, clock } = setupBuffer(limits)
  /** What the peers were given, and how many of them they take; default: all. */
  const given: Array<{ member: string, entries: readonly OfflineEntry[] }> = []
  const takes = new Map<string, number | undefined>()
  const settling = new Map<string, Promise<void>>()
  const settled: string[] = []
  /** Who was announced, and whether there is room for more. */
  const announced: string[] = []
  const queue = { isFull: false }
  const metrics = new TenantMetrics()
  const from = {
    tenantId: 't1', userId: 'alice', deviceId: 'd1', metrics, settings: { offlineBufferTtlSeconds: TTL_SECONDS, offlineUseHookPull },
  } as unknown as Session
  const offline = new OfflineDelivery({
    directory,
    peers: {
      hold: async (member, entries) => {
        given.push({ member, entries })
        return takes.has(member) ? takes.get(member) : entries.length
      },
    },
    events: {
      offlineMessage: (_from, _delivery, userId) => !queue.isFull && announced.push(userId) > 0,
    },
    buffer,
    index: {
      settle: (_tenantId, userId) => {
        settled.push(userId)
        return settling.get(userId)
      },
    },
    settleMs,
    now: () => clock.time,
  })
  /** Users whose home is this member. */
  const usersOf = (member: Member, count: number): string[] => Array.from({ length: 100 }, (_, i) => `user-${i}`)
    .filter(userId => homeOf(members, 't1', userId) === member)
    .slice(0, count)
  const delivery = new Delivery(aMessage(), 1)
  return {
    offline, from, delivery, buffer, clock, members, usersOf, given, takes, settling, settled, announced, queue, metrics
  }
}

t.test('a message is kept for each user at home, with one call for each home', async t => {
  const { offline, from, delivery, buffer, clock, members, usersOf, given, metrics } = setup()
  const [here, second, third] = members.map(member => usersOf(member, 2))
  t.equal(await offline.keepAtHome(from, delivery, [...here, ...second, ...third]), 6)
  t.strictSame(new Map(given.map(({ member, entries }) => [member, entries.map(({ userId }) => userId)])),
    new Map([['node-2#1', second], ['node-3#1', third]]))
  t.strictSame(buffer.users(), here.map(userId => ({ tenantId: 't1', userId })))
  for (const entry of given.flatMap(({ entries }) => entries)) {
    t.match(entry, { tenantId: 't1', deviceId: '', delivery, anyDeviceInstead: false, exceptDeviceId: undefined })
    t.equal(entry.expiresAt, clock.time + TTL_SECONDS * 1000)
  }
  t.equal(metrics.offlineBuffered, 6)
})

t.test('where the home cannot be reached it is kept here', async t => {
  const { offline, from, delivery, buffer, members, usersOf, takes, settled, metrics } = setup()
  const users = usersOf(members[1], 2)
  takes.set('node-2#1', undefined)
  t.equal(await offline.keepAtHome(from, delivery, users), 2)
  for (const userId of users) t.equal(buffer.countOf('t1', userId), 1)
  t.strictSame(settled, users, 'and from here it goes where it belongs')
  t.equal(metrics.offlineBuffered, 2)
})

t.test('what the home has no room for is not kept', async t => {
  const { offline, from, delivery, buffer, members, usersOf, takes, metrics } = setup()
  takes.set('node-2#1', 1)
  t.equal(await offline.keepAtHome(from, delivery, usersOf(members[1], 2)), 1)
  t.equal(buffer.size, 0)
  t.equal(metrics.offlineBuffered, 1)
})

t.test('where no member is known it is kept here', async t => {
  const { from, delivery, buffer, clock } = setup()
  const self = aMember('node-1', 'http://node-1:8081')
  const offline = new OfflineDelivery({
    directory: new TestDirectory(self),
    peers: { hold: async () => t.fail('nobody to ask') as unknown as undefined },
    events: { offlineMessage: () => false },
    buffer,
    index: { settle: () => undefined },
    settleMs: 10_000,
    now: () => clock.time,
  })
  t.equal(await offline.keepAtHome(from, delivery, ['bob']), 1)
  t.equal(buffer.countOf('t1', 'bob'), 1)
})

t.test('what is kept here stays here, whoever is its home, and waits for its users to be found', async t => {
  const { offline, from, delivery, buffer, members, usersOf, given, settling, metrics } = setup()
  const users = usersOf(members[1], 2)
  let end = (): void => {}
  settling.set(users[1], new Promise(resolve => { end = resolve }))
  let isKept = false
  const kept = offline.keepHere(from, delivery, users).finally(() => { isKept = true })
  for (const userId of users) t.equal(buffer.countOf('t1', userId), 1)
  await new Promise(setImmediate)
  t.equal(isKept, false)
  end()
  t.equal(await kept, 2)
  t.strictSame(given, [])
  t.equal(metrics.offlineBuffered, 2)
})

t.test('it waits no longer than it may', async t => {
  const { offline, from, delivery, members, usersOf, settling } = setup({ settleMs: 5 })
  const [userId] = usersOf(members[0], 1)
  settling.set(userId, new Promise(() => {}))
  t.equal(await offline.keepHere(from, delivery, [userId]), 1)
  t.equal(await offline.keepAtHome(from, delivery, [userId]), 1)
})

t.test('what the buffer does not take counts as not kept, and waits for nothing', async t => {
  const { offline, from, delivery, members, usersOf, settled, metrics } = setup({ maxMessagesPerUser: 0 })
  const [userId] = usersOf(members[0], 1)
  t.equal(await offline.keepHere(from, delivery, [userId]), 0)
  t.equal(await offline.keepAtHome(from, delivery, [userId]), 0)
  t.equal(offline.keepAlone(from, delivery, userId), false)
  t.strictSame(settled, [])
  t.equal(metrics.offlineBuffered, 0)
})

t.test('a note to oneself is never for the device that it came from', async t => {
  const { offline, from, buffer } = setup()
  const note = new Delivery(aMessage({ toUserId: 'alice' }), 1)
  t.equal(offline.keepAlone(from, note, 'alice'), true)
  t.equal(buffer.peek('t1', 'alice', 'd1', () => false), undefined)
  t.equal(buffer.peek('t1', 'alice', 'd2', () => false)?.delivery, note)
})

t.test('only a tenant that keeps offline messages itself has them announced', async t => {
  const { offline, from, delivery, announced, metrics } = setup()
  t.equal(offline.announces(from, 'bob'), false)
  t.equal(offline.announce(from, delivery, 'bob'), false)
  const pulls = setup({ offlineUseHookPull: true })
  t.equal(pulls.offline.announces(pulls.from, 'bob'), true)
  t.equal(pulls.offline.announce(pulls.from, delivery, 'bob'), true)
  t.strictSame([announced, pulls.announced], [[], ['bob']])
  const counted = ({ deliveries }: TenantMetrics): number | undefined => new Map(deliveries.entries()).get('offline_event')
  t.strictSame([metrics, pulls.metrics].map(counted), [0, 1])
})

t.test('what finds no room among the events is not announced, and not counted', async t => {
  const { offline, from, delivery, queue, metrics } = setup({ offlineUseHookPull: true })
  queue.isFull = true
  t.equal(offline.announce(from, delivery, 'bob'), false)
  t.equal(new Map(metrics.deliveries.entries()).get('offline_event'), 0)
})

t.test('a note to oneself is never announced: whoever wrote it is connected', async t => {
  const { offline, from, announced } = setup({ offlineUseHookPull: true })
  t.equal(offline.announces(from, 'alice'), false)
  t.equal(offline.announce(from, new Delivery(aMessage({ toUserId: 'alice' }), 1), 'alice'), false)
  t.strictSame(announced, [])
})
