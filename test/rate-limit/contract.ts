import type { Test } from 'tap'
import type { RateLimit } from '../../lib/rate-limit/rate-limit.js'

export interface RateLimitHome {
  /** The home of each of three members. */
  limits: RateLimit[]
  /** Milliseconds of the clock by which tokens come. */
  now: () => Promise<number>
  /** A few milliseconds go by. */
  tick: () => Promise<void>
}

/** Makes the homes of three members, on a store that others may use; they are closed when the test ends. */
export type OpenRateLimit = (t: Test) => Promise<RateLimitHome>

/** A load on one tenant. */
interface Load {
  tenantId: string
  qps: number
  /** Messages a second that come to each member, in units of qps. */
  factors: number[]
}

interface Passed {
  /** Messages that came, and those of them that passed, at each member. */
  asked: number[]
  passed: number[]
  /** Seconds of the load, without those in which the machine stood still for so long that tokens were lost. */
  loaded: number
  /** Seconds from the first message to the last answer. */
  total: number
}

/** Below a second, what comes into the bucket in the meantime stays there. */
const MAX_PAUSE_SECONDS = 0.5

let tenants = 0

function newTenant (): string {
  return `tenant${++tenants}`
}

/** Puts loads on for some seconds, all at once. */
async function run ({ limits, now, tick }: RateLimitHome, loads: Load[], seconds: number): Promise<Passed[]> {
  const counts = loads.map(() => ({ asked: limits.map(() => 0), passed: limits.map(() => 0) }))
  const answers: Array<Promise<void>> = []
  const began = await now()
  let [loaded, elapsed] = [0, 0]
  for (;;) {
    for (const [i, { tenantId, qps, factors }] of loads.entries()) {
      for (const [member, limit] of limits.entries()) {
        const { asked, passed } = counts[i]
        for (; asked[member] < loaded * qps * factors[member]; asked[member]++) {
          const answer = limit.take(tenantId, qps)
          if (answer === true) passed[member]++
          else if (answer !== false) answers.push(answer.then(passes => { if (passes) passed[member]++ }))
        }
      }
    }
    if (loaded >= seconds) break
    await tick()
    const before = elapsed
    elapsed = (await now() - began) / 1000
    if (elapsed - before < MAX_PAUSE_SECONDS) loaded += elapsed - before
  }
  await Promise.all(answers)
  const total = (await now() - began) / 1000
  return counts.map(count => ({ ...count, loaded, total }))
}

function sum (numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** What both homes of RateLimit promise. */
export async function rateLimitContract (t: Test, open: OpenRateLimit): Promise<void> {
  /** How many of `count` messages pass that come at once. */
  async function take (limit: RateLimit, tenantId: string, qps: number, count: number): Promise<number> {
    const answers = await Promise.all(Array.from({ length: count }, () => limit.take(tenantId, qps)))
    return answers.filter(Boolean).length
  }

  await t.test('0 is no limit', async t => {
    const { limits: [limit] } = await open(t)
    t.equal(await take(limit, newTenant(), 0, 100_000), 100_000)
  })

  await t.test("a burst of a second's worth passes, whichever member it comes to, and each tenant has its own", async t => {
    const { limits: [a, b], now } = await open(t)
    const [one, other] = [newTenant(), newTenant()]
    const began = await now()
    const passed = await take(a, one, 40, 30) + await take(b, one, 40, 30)
    const others = await take(b, other, 10, 20)
    const seconds = (await now() - began) / 1000
    t.ok(passed >= 40 && passed <= 40 * (1 + seconds), `${passed} of 40 a second in ${seconds} s`)
    t.ok(others >= 10 && others <= 10 * (1 + seconds), `${others} of 10 a second in ${seconds} s`)
  })

  await t.test('what passes passes in the order asked', async t => {
    const { limits: [limit] } = await open(t)
    const tenantId = newTenant()
    const order: number[] = []
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      if (await limit.take(tenantId, 40)) order.push(i)
    }))
    t.ok(order.length >= 40)
    t.same(order, [...order].sort((one, two) => one - two))
  })

  await t.test('a tenant that was forgotten is limited all the same', async t => {
    const { limits: [limit] } = await open(t)
    const tenantId = newTenant()
    limit.forget('nobody')
    t.equal(await take(limit, tenantId, 3, 3), 3)
    limit.forget(tenantId)
    t.ok(await take(limit, tenantId, 3, 100) <= 6)
  })

  await t.test('under a load above the limit, over three members, what passes is the limit', async t => {
    const home = await open(t)
    const even = [1, 2, 5, 100, 1000, 50_000].map(qps => ({ tenantId: newTenant(), qps, factors: [0.7, 0.7, 0.7] }))
    const skewed = [5, 1000, 20_000].map(qps => ({ tenantId: newTenant(), qps, factors: [2, 0.1, 0] }))
    const loads = [...even, ...skewed]
    const results = await run(home, loads, 3)
    for (const [i, { passed, loaded, total }] of results.entries()) {
      const { qps, factors } = loads[i]
      const count = sum(passed)
      // A second's worth is there from the start; at the end some may not have been fetched yet.
      const most = qps * (1 + total * 1.05)
      const least = qps * (1 + loaded * 0.95 - 0.15) - 1
      t.ok(count >= least && count <= most,
        `${qps} a second, load ${factors}: ${passed} passed in ${total} s, ${least} to ${most} were expected`)
    }
  })

  await t.test('a load below the limit passes', async t => {
    const home = await open(t)
    const loads = [20, 1000].map(qps => ({ tenantId: newTenant(), qps, factors: [0.4, 0.3, 0.1] }))
    for (const { asked, passed } of await run(home, loads, 2)) t.same(passed, asked)
  })

  await t.test('a limit that changes counts', async t => {
    const home = await open(t)
    const tenantId = newTenant()
    const [low] = await run(home, [{ tenantId, qps: 10, factors: [2, 2, 2] }], 1)
    t.ok(sum(low.passed) <= 10 * (1 + low.total))
    const [high] = await run(home, [{ tenantId, qps: 200, factors: [1, 1, 1] }], 2)
    const count = sum(high.passed)
    t.ok(count >= 200 * (high.loaded - 0.5) && count <= 200 * (1 + high.total),
      `${count} of 200 a second in ${high.total} s`)
  })
}
