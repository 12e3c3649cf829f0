import { once } from 'node:events'
import t, { type Test } from 'tap'
import { inFlight } from '../../lib/dedup/copy-state.js'
import { DEDUP_WINDOW_MS } from '../../lib/dedup/dedup.js'
import { MemoryDedup } from '../../lib/dedup/memory-dedup.js'
import { fingerprintOf } from '../../lib/dedup/message-identity.js'
import { RedisDedup, type RedisDedupOptions } from '../../lib/dedup/redis-dedup.js'
import type { Message } from '../../lib/protocol/message.js'
import { AckReason } from '../../lib/protocol/server-errors.js'
import { dedupKey } from '../../lib/redis/keys.js'
import type { RedisLink } from '../../lib/redis/redis-link.js'
import { fixedDirectories, type FixedDirectory } from '../helpers/fixed-directory.js'
import { connectLink } from '../helpers/redis-link.js'
import { withRedis, withRedisCluster } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { aFreshMessage, dedupContract, kindOf, outcomeOf, reserveFirst } from './contract.js'

const UNKNOWN = { sent: false, reason: AckReason.DELIVERY_FAILED }

function open (t: Test, link: RedisLink, directory: Directory, options?: RedisDedupOptions): RedisDedup {
  const local = new MemoryDedup({ maxEntries: 1000, maxEntriesPerTenant: 1000 })
  const dedup = new RedisDedup(local, link, directory, options)
  t.teardown(() => dedup.close())
  return dedup
}

type Directory = Pick<FixedDirectory, 'self' | 'get' | 'refresh'>

for (const [where, start] of Object.entries({ 'a single Redis': withRedis, 'a Redis Cluster': withRedisCluster })) {
  t.test(`on ${where}`, async t => {
    const { url } = await start(t)
    await dedupContract(t, async t => {
      const [a, b] = fixedDirectories(2)
      return [open(t, await connectLink(t, url), a), open(t, await connectLink(t, url), b)]
    })
  })
}

/** Two members on one Redis, with an impatient link each; `observer` is a patient one. */
async function pair (t: Test, options: RedisDedupOptions = {}) {
  const server = await withRedis(t)
  const directories = fixedDirectories(2)
  const impatient = { timeoutMs: 200, probeIntervalMs: 50 }
  const links = await Promise.all(directories.map(() => connectLink(t, server.url, impatient)))
  const observer = await connectLink(t, server.url)
  const errors: unknown[] = []
  const [a, b] = directories.map((directory, i) =>
    open(t, links[i], directory, { onError: error => errors.push(error), ...options }))
  const opened = { server, directories, links, observer, errors, a, b }
  return {
    ...opened,
    /** What Redis knows of a message. */
    stored: (message: Message) => observer.run('test', redis => redis.get(keyFor(message))),
    /** Milliseconds for which it does. */
    storedFor: (message: Message) => observer.run('test', redis => redis.pttl(keyFor(message))),
  }
}

function keyFor ({ tenantId, userId, deviceId, msgId }: Message): string {
  return dedupKey(tenantId, userId, deviceId, msgId)
}

t.test('a sent message is kept for ten minutes from its commit, whatever comes again', async t => {
  const { a, b, stored, storedFor } = await pair(t)
  const message = aFreshMessage()
  const reserved = await reserveFirst(a, message)
  t.ok(await storedFor(message) <= 15_000, 'a reservation is short')
  a.commit(reserved)
  await until('it is saved', async () => await stored(message) === `${fingerprintOf(message)}`)
  const left = await storedFor(message)
  t.ok(left > 0 && left <= DEDUP_WINDOW_MS)
  t.equal(await kindOf(b, message), 'duplicate')
  t.ok(await storedFor(message) <= left)
  t.notOk((await stored(message))?.includes('hello'), 'Redis does not know the content')
})

t.test('when a node dies, the message it was processing may be sent from another node at once', async t => {
  const { directories, a, b } = await pair(t)
  const message = aFreshMessage()
  await reserveFirst(a, message)
  const { outcome } = await outcomeOf(b, message)
  t.equal(b.waiting, 1)
  directories[0].die()
  t.same(await outcome, UNKNOWN, 'a copy that waited may be tried again')
  t.equal(b.waiting, 0)
  b.commit(await reserveFirst(b, message))
  t.equal(await kindOf(b, message), 'duplicate')
})

t.test('when a node died before the copy came, the copy is first', async t => {
  const { directories, a, b } = await pair(t)
  const message = aFreshMessage()
  await reserveFirst(a, message)
  directories[0].die()
  t.equal(await kindOf(b, { ...message, msgBody: Buffer.from('other') }), 'first', 'with other content, too')
  t.equal(directories[1].refreshes, 1)
})

t.test('a member that has only just joined is not taken for dead', async t => {
  const { a, directories: [, directory], links: [, link] } = await pair(t)
  let isKnown = false
  const b = open(t, link, {
    self: directory.self,
    get: key => isKnown ? directory.get(key) : undefined,
    refresh: async () => { isKnown = true },
  })
  const message = aFreshMessage()
  const reserved = await reserveFirst(a, message)
  const { outcome } = await outcomeOf(b, message)
  a.commit(reserved)
  t.equal((await outcome).sent, true)
})

t.test('nor is one while the members cannot be looked up', async t => {
  const { a, b, directories, errors } = await pair(t)
  const message = aFreshMessage()
  const reserved = await reserveFirst(a, message)
  directories[0].die()
  directories[1].isGone = true
  const { outcome } = await outcomeOf(b, message)
  t.ok(errors.length > 0)
  a.commit(reserved)
  t.equal((await outcome).sent, true)
})

t.test('a reservation that runs out ends the wait for it, and its message may be sent elsewhere', async t => {
  const { links, directories, b } = await pair(t)
  const hasty = open(t, links[0], directories[0], { reservationMs: 100 })
  const message = aFreshMessage()
  const slow = await reserveFirst(hasty, message)
  const { outcome } = await outcomeOf(b, message)
  t.same(await outcome, UNKNOWN)
  const second = await reserveFirst(b, message)
  hasty.release(slow, AckReason.INTERNAL_ERROR)
  const copy = await outcomeOf(hasty, message)
  b.commit(second)
  t.same(await copy.outcome, { sent: true, reason: '' }, 'the late end of the first left the second alone')
})

t.test('what was sent after its reservation had run out is remembered all the same', async t => {
  const { links, directories, b, stored } = await pair(t)
  const hasty = open(t, links[0], directories[0], { reservationMs: 100 })
  const message = aFreshMessage()
  const slow = await reserveFirst(hasty, message)
  await until('it has run out', async () => await stored(message) === null)
  const second = await reserveFirst(b, message)
  hasty.commit(slow)
  await until('it is saved', async () => await stored(message) === `${fingerprintOf(message)}`)
  b.release(second, AckReason.DELIVERY_FAILED)
  t.equal(await kindOf(b, message), 'duplicate')
})

t.test('a reservation that this member has lost sight of is taken over', async t => {
  const { directories: [{ self }], a, observer } = await pair(t)
  const message = aFreshMessage()
  const lost = inFlight(fingerprintOf(message), 0, self.key)
  await observer.run('test', redis => redis.set(keyFor(message), lost))
  t.equal(await kindOf(a, message), 'first')
})

t.test("a hook's own reason does not go to Redis", async t => {
  const { a, b, stored } = await pair(t)
  const message = aFreshMessage()
  const reserved = await reserveFirst(a, message)
  const here = await outcomeOf(a, message)
  const { outcome } = await outcomeOf(b, message)
  a.release(reserved, 'says "hello", which is not allowed')
  t.same(await here.outcome, { sent: false, reason: 'says "hello", which is not allowed' })
  t.same(await outcome, { sent: false, reason: AckReason.REJECTED })
  t.notOk((await stored(message))?.includes('hello'))
})

t.test('not more than a number of copies wait for other nodes', async t => {
  const { a, b } = await pair(t, { maxWaits: 2 })
  const messages = [aFreshMessage(), aFreshMessage(), aFreshMessage()]
  const outcomes = []
  for (const message of messages) {
    await reserveFirst(a, message)
    outcomes.push((await outcomeOf(b, message)).outcome)
  }
  t.same(await outcomes[2], UNKNOWN)
  t.equal(b.waiting, 2)
  t.equal(b.overflows, 1)
  b.close()
  t.same(await Promise.all(outcomes), [UNKNOWN, UNKNOWN, UNKNOWN], 'closing ends every wait')
  t.equal(b.waiting, 0)
})

t.test("while Redis is gone this node's memory decides alone", async t => {
  const { server, links, observer, a, b } = await pair(t)
  const before = aFreshMessage()
  const across = await reserveFirst(a, before)
  const everyone = [...links, observer]
  const down = Promise.all(everyone.map(link => once(link, 'down')))
  await server.kill()
  await down
  const message = aFreshMessage()
  const reservation = a.reserve(message)
  if (reservation instanceof Promise || reservation.kind !== 'first') throw new Error('expected to be first at once')
  t.equal((await a.reserve(message)).kind, 'in_flight')
  a.commit(reservation.reserved)
  a.commit(across)
  t.equal(await kindOf(a, message), 'duplicate')
  t.equal(await kindOf(a, { ...message, toUserId: 'carol' }), 'conflict')
  t.equal(a.degraded, 1)
  t.equal(a.unsaved, 2)
  t.equal(await kindOf(b, message), 'first', 'the other node cannot know')

  const up = Promise.all(everyone.map(link => once(link, 'up')))
  await server.restart()
  await up
  t.equal(await kindOf(a, message), 'duplicate', 'this node still knows')
  const after = aFreshMessage()
  a.commit(await reserveFirst(a, after))
  t.equal(await kindOf(b, after), 'duplicate', 'and both know what comes')
  t.equal(a.unsaved, 2)
})

t.test('a copy that waits when Redis goes gives up when its reservation must have ended', async t => {
  const { server, links, observer, a, b, errors } = await pair(t, { reservationMs: 500 })
  const message = aFreshMessage()
  await reserveFirst(a, message)
  const { outcome } = await outcomeOf(b, message)
  await server.kill()
  t.same(await outcome, UNKNOWN)
  t.ok(errors.length > 0)
  await server.restart()
  await Promise.all([...links, observer].map(link => link.isUp ? undefined : once(link, 'up')))
  t.equal(await kindOf(b, message), 'first')
})

t.test('when Redis hangs nobody waits longer than the link does', async t => {
  const { server, links: [link], a, stored } = await pair(t)
  const [one, other] = [aFreshMessage(), aFreshMessage()]
  const reserved = await reserveFirst(a, one)
  server.pause()
  a.commit(reserved)
  t.equal(await kindOf(a, one), 'duplicate')
  t.equal(await kindOf(a, other), 'first', 'answered while it hangs')
  t.equal(a.degraded, 1)
  await until('the commit is counted', () => a.unsaved === 1)
  const up = link.isUp ? undefined : once(link, 'up')
  server.resume()
  await up
  await until('what comes is saved', async () => {
    const message = aFreshMessage()
    a.commit(await reserveFirst(a, message))
    return await stored(message) === `${fingerprintOf(message)}`
  })
})
