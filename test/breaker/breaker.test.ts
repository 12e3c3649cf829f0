import { mock } from 'node:test'
import t from 'tap'
import { Breaker, BreakerState } from '../../lib/breaker/breaker.js'

const THRESHOLD = 3
const OPEN_MS = 1000

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
t.afterEach(() => mock.timers.reset())

interface Trial {
  breaker: Breaker
  states: BreakerState[]
  succeed: () => Promise<string>
  fail: () => Promise<string>
  /** Calls that reached the other side. */
  calls: () => number
}

function trial (threshold = THRESHOLD): Trial {
  const states: BreakerState[] = []
  const breaker = new Breaker(state => states.push(state))
  let calls = 0
  const run = (call: () => Promise<string>): Promise<string> => breaker.run(() => {
    calls++
    return call()
  }, threshold, OPEN_MS)
  return {
    breaker,
    states,
    calls: () => calls,
    succeed: () => run(() => Promise.resolve('fine')),
    fail: () => run(() => Promise.reject(new Error('broken'))).catch(error => (error as Error).message),
  }
}

async function opened (): Promise<Trial> {
  const it = trial()
  for (let i = 0; i < THRESHOLD; i++) await it.fail()
  return it
}

/** A call that ends when the test says so. */
function held (breaker: Breaker): { outcome: Promise<string>, succeed: () => void, fail: () => void } {
  let succeed = (): void => {}
  let fail = (): void => {}
  const outcome = breaker.run(() => new Promise<string>((resolve, reject) => {
    succeed = () => resolve('fine')
    fail = () => reject(new Error('broken'))
  }), THRESHOLD, OPEN_MS).catch(error => (error as Error).message)
  return { outcome, succeed: () => succeed(), fail: () => fail() }
}

t.test('a closed breaker passes on answers and errors as they are', async t => {
  const { breaker, succeed, fail, states } = trial()
  t.equal(await succeed(), 'fine')
  t.equal(await fail(), 'broken')
  t.equal(breaker.refuses, false)
  t.same(states, [])
})

t.test('failures in a row open it at the threshold, not before', async t => {
  const { breaker, fail, states } = trial()
  await fail()
  await fail()
  t.equal(breaker.refuses, false)
  await fail()
  t.equal(breaker.refuses, true)
  t.same(states, [BreakerState.OPEN])
})

t.test('a success starts the count anew', async t => {
  const { breaker, fail, succeed } = trial()
  await fail()
  await fail()
  await succeed()
  await fail()
  await fail()
  t.equal(breaker.refuses, false, 'five calls, four failures, but never three in a row')
  await fail()
  t.equal(breaker.refuses, true)
})

t.test('a threshold of one opens it with the first failure', async t => {
  const { breaker, fail } = trial(1)
  await fail()
  t.equal(breaker.refuses, true)
})

t.test('an open breaker makes no call until its time is over', async t => {
  const { breaker, succeed, calls } = await opened()
  mock.timers.tick(OPEN_MS - 1)
  t.equal(breaker.refuses, true)
  await t.rejects(succeed(), { code: 'EOPENBREAKER' })
  t.equal(calls(), THRESHOLD)
})

t.test('a half-open breaker lets exactly one call through', async t => {
  const { breaker, succeed, states, calls } = await opened()
  mock.timers.tick(OPEN_MS)
  t.equal(breaker.refuses, false)
  const trialCall = held(breaker)
  t.equal(breaker.refuses, true, 'while the one is on its way')
  await t.rejects(succeed(), { code: 'EOPENBREAKER' })
  t.equal(calls(), THRESHOLD)
  trialCall.succeed()
  t.equal(await trialCall.outcome, 'fine')
  t.equal(breaker.refuses, false)
  t.equal(await succeed(), 'fine')
  t.same(states, [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED])
})

t.test('a failed trial opens it again for as long as before', async t => {
  const { breaker, fail, states } = await opened()
  mock.timers.tick(OPEN_MS)
  await fail()
  t.equal(breaker.refuses, true)
  mock.timers.tick(OPEN_MS - 1)
  t.equal(breaker.refuses, true)
  mock.timers.tick(1)
  t.equal(breaker.refuses, false)
  t.same(states, [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.OPEN, BreakerState.HALF_OPEN])
})

t.test('after recovering it takes the whole threshold to open it again', async t => {
  const { breaker, fail, succeed } = await opened()
  mock.timers.tick(OPEN_MS)
  await succeed()
  await fail()
  await fail()
  t.equal(breaker.refuses, false)
  await fail()
  t.equal(breaker.refuses, true)
})

t.test('calls that were under way when it opened end as they end', async t => {
  const it = trial()
  const good = held(it.breaker)
  const bad = held(it.breaker)
  for (let i = 0; i < THRESHOLD; i++) await it.fail()
  good.succeed()
  bad.fail()
  t.equal(await good.outcome, 'fine')
  t.equal(await bad.outcome, 'broken')
  t.equal(it.breaker.refuses, true, 'a late success does not close it')
  t.same(it.states, [BreakerState.OPEN])
})

t.test('failures of what is no call count with those of calls, until a success', async t => {
  const { breaker, fail, states } = trial()
  await fail()
  breaker.failed(THRESHOLD, OPEN_MS)
  breaker.succeeded()
  breaker.failed(THRESHOLD, OPEN_MS)
  await fail()
  t.equal(breaker.refuses, false)
  breaker.failed(THRESHOLD, OPEN_MS)
  t.equal(breaker.refuses, true)
  t.same(states, [BreakerState.OPEN])
})

t.test('a half-open breaker says so, and what is no call does not decide for the one that does', async t => {
  const { breaker, states } = await opened()
  t.equal(breaker.isHalfOpen, false)
  mock.timers.tick(OPEN_MS)
  t.equal(breaker.isHalfOpen, true)
  const trialCall = held(breaker)
  t.equal(breaker.isHalfOpen, false, 'the one is on its way')
  breaker.failed(THRESHOLD, OPEN_MS)
  breaker.succeeded()
  t.same(states, [BreakerState.OPEN, BreakerState.HALF_OPEN])
  trialCall.succeed()
  t.equal(await trialCall.outcome, 'fine')
  t.equal(breaker.refuses, false)
})

t.test('a closed-down breaker refuses, tells nobody and leaves no timer that acts', async t => {
  const { breaker, succeed, states, calls } = await opened()
  breaker.close()
  mock.timers.tick(OPEN_MS * 2)
  t.equal(breaker.refuses, true)
  await t.rejects(succeed())
  t.equal(calls(), THRESHOLD)
  t.same(states, [BreakerState.OPEN])
})

t.test('it remembers nothing of the calls it has made, however many', async t => {
  const { breaker, succeed, fail } = trial()
  // opossum's statistics keep a number a call: a gateway makes a billion calls a day.
  const { circuit } = breaker as unknown as { circuit: { status: { window: Array<{ latencyTimes: number[] }> } } }
  for (let i = 0; i < 5000; i++) {
    await succeed()
    if (i % 10 === 0) await fail()
  }
  const remembered = circuit.status.window.reduce((sum, { latencyTimes }) => sum + latencyTimes.length, 0)
  t.ok(remembered <= 1000, `${remembered} latencies`)
})
