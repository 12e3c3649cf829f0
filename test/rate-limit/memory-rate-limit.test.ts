import t from 'tap'
import { MemoryRateLimit } from '../../lib/rate-limit/memory-rate-limit.js'
import { rateLimitContract } from './contract.js'

await t.test('contract', t => rateLimitContract(t, async () => {
  const clock = { now: 0 }
  const limit = new MemoryRateLimit(() => clock.now)
  return { limits: [limit, limit, limit], now: async () => clock.now, tick: async () => { clock.now += 5 } }
}))

function rateLimit () {
  const clock = { now: 0 }
  const limit = new MemoryRateLimit(() => clock.now)
  return {
    clock,
    limit,
    /** How many of `count` messages may pass. */
    take: (tenantId: string, qps: number, count: number) =>
      Array.from({ length: count }, () => limit.take(tenantId, qps)).filter(Boolean).length,
  }
}

t.test('each tenant has a rate of its own', async t => {
  const { take } = rateLimit()
  t.equal(take('t1', 3, 10), 3)
  t.equal(take('t2', 5, 10), 5)
  t.equal(take('t1', 3, 10), 0)
})

t.test('0 is no limit, and uses nothing up', async t => {
  const { take } = rateLimit()
  t.equal(take('t1', 0, 100_000), 100_000)
  t.equal(take('t1', 2, 10), 2)
  t.equal(take('t1', 0, 10), 10)
})

t.test('a rate of one a second lets one through each second', async t => {
  const { clock, take } = rateLimit()
  for (let second = 0; second < 5; second++) {
    t.equal(take('t1', 1, 10), 1)
    clock.now += 1000
  }
})

t.test('a tenant that was forgotten begins anew', async t => {
  const { limit, take } = rateLimit()
  take('t1', 3, 10)
  limit.forget('t1')
  limit.forget('nobody')
  t.equal(take('t1', 3, 10), 3)
})
