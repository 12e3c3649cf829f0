import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import type { EventRecord, PublishError } from '../../lib/mq/event-transport.js'
import { fault, headersOf, msgIdOf, setup, type QueueSetup } from './queue.js'

// Whatever the transport does within its promises: nothing is lost, and every topic has each key's events in order.

const TENANTS = ['t1', 't2', 't3']
const KEYS = ['a', 'b', 'c']
const LIMITS = { maxEvents: 60, maxBytes: 60_000, maxEventsPerTenant: 30, maxBytesPerTenant: 30_000 }
const RESERVED_EVENTS = 15

type Outcome = 'ok' | 'hold' | 'event' | 'topic' | 'cluster'

interface Step {
  /** Of a tenant, published in one turn. */
  events: Array<{ tenant: number, key: number }>
  /** Of topics, by tenant and whether it is the dead letter topic; taken by turns of the records. */
  outcomes: Outcome[][]
  losesAnswers: boolean
  releases: boolean
  /** Milliseconds that pass. */
  ms: number
}

const outcome = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Outcome>('ok') },
  { weight: 4, arbitrary: fc.constantFrom<Outcome>('hold', 'event', 'topic', 'cluster') })

const step: fc.Arbitrary<Step> = fc.record({
  events: fc.array(fc.record({ tenant: fc.nat(TENANTS.length - 1), key: fc.nat(KEYS.length - 1) }), { maxLength: 40 }),
  outcomes: fc.array(fc.array(outcome, { minLength: 1, maxLength: 4 }), { minLength: 6, maxLength: 6 }),
  losesAnswers: fc.boolean(),
  releases: fc.boolean(),
  ms: fc.constantFrom(0, 1, 50, 1000, 40_000),
})

class Run {
  private readonly setup: QueueSetup = setup({ limits: LIMITS })
  private readonly taken: Array<{ tenantId: string, key: string, msgId: string }> = []
  private refusedAtTheDoor = 0
  private records = 0

  async step ({ events, outcomes, losesAnswers, releases, ms }: Step): Promise<void> {
    const { transport, clock } = this.setup
    const verdict = ({ topic }: EventRecord): PublishError | undefined | 'hold' => {
      const of = outcomes[TENANTS.indexOf(topic.replace('-dlq', '')) * 2 + (topic.endsWith('-dlq') ? 1 : 0)]
      const next = of[this.records++ % of.length]
      return next === 'ok' ? undefined : next === 'hold' ? 'hold' : fault(next)
    }
    transport.verdict = verdict
    transport.losesAnswer = () => losesAnswers && this.records % 2 === 0
    for (const { tenant, key } of events) this.publish(TENANTS[tenant], KEYS[key])
    for (let i = 0; i < 3; i++) {
      await turn()
      this.checkOnTheWay()
    }
    if (releases) transport.release(verdict)
    clock.advance(ms)
    await turn()
    this.checkOnTheWay()
  }

  async end (): Promise<void> {
    const { transport, settle, drain, queue, clock } = this.setup
    transport.verdict = () => undefined
    do {
      transport.release()
      await settle()
    } while (transport.onTheWay.length > 0)
    await drain()
    this.checkNothingLost()
    this.checkOrder()
    for (let i = 0; i < 3; i++) clock.advance(100_000)
    assert.equal(queue.tenants, 0, 'no tenant is remembered')
    assert(clock.isIdle, 'no timer is left')
  }

  private publish (tenantId: string, key: string): void {
    const { publish, metrics } = this.setup
    const msgId = `m${this.taken.length}`
    if (publish([msgId], { tenantId, key })[0]) this.taken.push({ tenantId, key, msgId })
    else this.refusedAtTheDoor++
    const { eventsPending } = metrics(tenantId)
    assert(eventsPending <= LIMITS.maxEventsPerTenant)
    const total = TENANTS.reduce((sum, id) => sum + metrics(id).eventsPending, 0)
    assert(total <= LIMITS.maxEvents + RESERVED_EVENTS)
  }

  /** A key has one batch on its way, and that to one topic. */
  private checkOnTheWay (): void {
    const { transport } = this.setup
    const turnOf = new Map<EventRecord, number>()
    transport.turns.forEach((records, i) => records.forEach(record => turnOf.set(record, i)))
    const batches = new Map<string, string>()
    for (const record of transport.onTheWay) {
      const batch = `${record.topic} ${turnOf.get(record)}`
      const line = `${record.topic.replace('-dlq', '')} ${record.key}`
      assert.equal(batches.get(line) ?? batch, batch, 'one batch of a key')
      batches.set(line, batch)
    }
  }

  private checkNothingLost (): void {
    const { transport, metrics, dropped } = this.setup
    const stored = new Set(transport.stored.map(msgIdOf))
    let refusedForEver = 0
    for (const tenantId of TENANTS) {
      const { eventsPublished, eventsDeadLettered, eventsPending, eventsPendingBytes } = metrics(tenantId)
      const { refused = 0 } = dropped(tenantId)
      refusedForEver += refused
      const taken = this.taken.filter(event => event.tenantId === tenantId).length
      assert.equal(eventsPublished + eventsDeadLettered + refused, taken, 'each is counted once')
      assert.equal(eventsPending, 0)
      assert.equal(eventsPendingBytes, 0)
    }
    const missing = this.taken.filter(({ msgId }) => !stored.has(msgId))
    assert(missing.length <= refusedForEver, `${missing.length} are missing, ${refusedForEver} were refused for ever`)
    const atTheDoor = TENANTS.map(tenantId => dropped(tenantId))
      .reduce((sum, { queue_full: queueFull = 0, node_full: nodeFull = 0 }) => sum + queueFull + nodeFull, 0)
    assert.equal(atTheDoor, this.refusedAtTheDoor)
    for (const record of transport.stored) {
      const saysWhy = 'mics-dlq-reason' in headersOf(record)
      assert.equal(saysWhy, record.topic.endsWith('-dlq'), 'a dead letter says why, and nothing else does')
    }
  }

  /**
   * An event may come again; each for the first time comes in the order in which they were taken. Not so those that
   * had to be truncated: when the dead letter topic refuses one, those behind it are there already.
   */
  private checkOrder (): void {
    const { transport } = this.setup
    const number = new Map(this.taken.map(({ msgId }, i) => [msgId, i]))
    const latest = new Map<string, number>()
    const seen = new Set<string>()
    for (const record of transport.stored) {
      if ('mics-dlq-truncated' in headersOf(record)) continue
      const line = `${record.topic} ${record.key}`
      const msgId = msgIdOf(record)
      if (seen.has(`${record.topic} ${msgId}`)) continue
      seen.add(`${record.topic} ${msgId}`)
      const at = number.get(msgId) ?? -1
      assert(at > (latest.get(line) ?? -1), `${msgId} comes after one that was taken later`)
      latest.set(line, at)
    }
  }
}

t.test('whatever fails, no event is lost and every key stays in order', async t => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
    const run = new Run()
    for (const next of steps) await run.step(next)
    await run.end()
  }), { numRuns: 200 })
  t.pass()
})
