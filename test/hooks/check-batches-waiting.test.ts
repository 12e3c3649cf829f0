import assert from 'node:assert/strict'
import { setImmediate, setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { TenantSettings } from '../../lib/config/gateway-config.js'
import type { CheckBatch, CheckMember } from '../../lib/hooks/check-batch.js'
import { CheckBatches } from '../../lib/hooks/check-batches.js'
import { ConcurrencyLimiter } from '../../lib/hooks/concurrency-limiter.js'
import { HookFailure } from '../../lib/hooks/hook-failure.js'
import { aMessage } from '../helpers/message.js'
import { until } from '../helpers/until.js'

const HOUR_MS = 3_600_000

function settingsOf (fields: Partial<TenantSettings>): TenantSettings {
  return {
    hookBaseUrl: '',
    tenantSecret: '',
    hookSignRequired: false,
    checkBatchMaxMessages: 2,
    checkBatchMaxWaitMs: 0,
    hookMaxConcurrency: 1,
    hookQueueTimeoutMs: 10,
    hookBreakerFailureThreshold: 5,
    hookBreakerOpenMs: 5000,
    ...fields,
  } as TenantSettings
}

/** Batches of one tenant whose hook says yes to everything, and what is counted of them. */
function gather (answer: () => Promise<void> = async () => {}) {
  const limiter = new ConcurrencyLimiter()
  const asked: string[][] = []
  const results = new Map<string, string[]>()
  const state: { refusal?: HookFailure, mostRunning: number } = { mostRunning: 0 }
  const batches = new CheckBatches({
    limiter,
    refusal: () => state.refusal,
    ask: async batch => {
      state.mostRunning = Math.max(state.mostRunning, limiter.running)
      asked.push(batch.members.map(({ message }) => message.msgId))
      await answer()
      batch.answer(batch.members.map(() => ({ allow: true, reason: '' })))
    },
    refuse: (batch: CheckBatch, failure) => batch.fail(failure),
  })
  const join = (msgId: string, settings: TenantSettings, fields: Partial<CheckMember> = {}): void => {
    const heard: string[] = []
    results.set(msgId, heard)
    batches.join(settings, {
      message: aMessage({ msgId }),
      size: 100,
      traceId: '',
      askedAt: performance.now(),
      span: undefined,
      onVerdict: result => { heard.push(result.ok ? 'ok' : result.failure.kind) },
      ...fields,
    })
  }
  return { limiter, batches, asked, results, state, join }
}

t.test('when the oldest of a batch have waited too long, the others stay in their place', async t => {
  const { limiter, asked, results, join } = gather()
  const settings = settingsOf({})
  limiter.acquire(1, 0)
  join('old', settings)
  // Asked for so much later that it is patient for as long as the test takes.
  join('a', settings, { askedAt: performance.now() + HOUR_MS })
  for (const msgId of ['b', 'c']) join(msgId, settingsOf({ hookQueueTimeoutMs: HOUR_MS }))
  await until('the oldest is refused', () => results.get('old')?.length === 1)
  t.same(results.get('old'), ['queue_full'])
  limiter.release()
  await until('all are answered', () => results.get('c')?.length === 1)
  t.same(asked, [['a'], ['b', 'c']])
  await until('the slot is free', () => limiter.running === 0)
})

/** What happens next: messages come (of a kind of settings, small or large), time passes, the breaker turns. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.nat(2), size: fc.constantFrom(100, 100, 100, 400_000, 1_200_000) }) },
  { weight: 3, arbitrary: fc.constantFrom('turn' as const, 'wait' as const) },
  { weight: 1, arbitrary: fc.constantFrom('breaker' as const, 'close' as const) }
)

const kindOfSettings = fc.record({
  checkBatchMaxMessages: fc.integer({ min: 2, max: 6 }),
  checkBatchMaxWaitMs: fc.constantFrom(0, 3),
  hookMaxConcurrency: fc.integer({ min: 1, max: 3 }),
  hookQueueTimeoutMs: fc.constantFrom(0, 1, 3, 1000),
})

t.test('whatever happens, each message hears one result and every slot comes back', async () => {
  const kinds = fc.array(kindOfSettings, { minLength: 3, maxLength: 3 })
  await fc.assert(fc.asyncProperty(kinds, fc.array(step, { minLength: 20, maxLength: 120 }), async (kinds, steps) => {
    let calls = 0
    const { limiter, batches, asked, results, state, join } =
      gather(async () => { await (++calls % 3 === 0 ? setTimeout(2) : setImmediate()) })
    const all = kinds.map((fields, i) => settingsOf({ ...fields, tenantSecret: String(i) }))
    for (const [i, next] of steps.entries()) {
      if (typeof next === 'object') join(String(i), all[next.kind], { size: next.size })
      else if (next === 'turn') await setImmediate()
      else if (next === 'wait') await setTimeout(2)
      else if (next === 'close') batches.close(new HookFailure('tenant_gone', ''))
      else state.refusal = state.refusal === undefined ? new HookFailure('breaker_open', '') : undefined
    }
    const heard = [...results.values()]
    await until('each message is answered', () => heard.every(({ length }) => length > 0))
    await until('every slot is free', () => limiter.running === 0 && limiter.waiting === 0)
    assert.ok(heard.every(({ length }) => length === 1))
    assert.equal(asked.flat().length, heard.filter(([result]) => result === 'ok').length)
    assert.ok(state.mostRunning <= Math.max(...kinds.map(({ hookMaxConcurrency }) => hookMaxConcurrency)))
  }), { numRuns: 60, endOnFailure: true })
})
