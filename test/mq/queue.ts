import { setImmediate as turn } from 'node:timers/promises'
import { fromBinary } from '@bufbuild/protobuf'
import { EventType, MqEventSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import { EventQueue, type EventQueueOptions } from '../../lib/mq/event-queue.js'
import type { EventLimits } from '../../lib/mq/event-quota.js'
import { PublishError, type EventRecord, type EventTransport, type PublishFault } from '../../lib/mq/event-transport.js'
import type { MqEvent } from '../../lib/mq/mq-event.js'

export const SECRET = 'secret'

/** Larger than any test needs. */
export const NO_LIMITS: EventLimits = {
  maxEvents: 1e6, maxBytes: 1e9, maxEventsPerTenant: 1e6, maxBytesPerTenant: 1e9,
}

export function event (fields: Partial<MqEvent> = {}): MqEvent {
  return {
    tenantId: 't1',
    type: EventType.SINGLE_CHAT_MSG,
    msgId: 'm1',
    userId: 'alice',
    deviceId: 'd1',
    toUserId: 'bob',
    groupId: '',
    data: Buffer.from('data'),
    timestampMs: 1_700_000_000_000,
    traceId: '0123456789abcdef0123456789abcdef',
    secret: SECRET,
    key: 'k',
    ...fields,
  }
}

export const msgIdOf = ({ value }: EventRecord): string => fromBinary(MqEventSchema, value).msgId
export const headersOf = ({ headers }: EventRecord): Record<string, string> => Object.fromEntries(headers)
export const fault = (fault: PublishFault, reason = `${fault} fault`): PublishError =>
  new PublishError(fault, reason, `${reason} in words`)

/** Time that moves when it is told to. */
export class TestClock {
  time = 1000
  private timers = new Set<{ at: number, run: () => void }>()

  readonly now = (): number => this.time
  readonly startTimer = (ms: number, run: () => void): () => void => {
    const timer = { at: this.time + ms, run }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  get isIdle (): boolean {
    return this.timers.size === 0
  }

  advance (ms: number): void {
    this.time += ms
    for (const timer of this.timers) {
      if (timer.at > this.time || !this.timers.delete(timer)) continue
      timer.run()
    }
  }

  /** To the next timer. Gives the milliseconds it took. */
  advanceToNext (): number {
    const ms = Math.max(Math.min(...[...this.timers].map(({ at }) => at)) - this.time, 0)
    this.advance(ms)
    return ms
  }
}

interface Sent {
  record: EventRecord
  done: (error?: PublishError) => void
}

type Verdict = PublishError | undefined | 'hold'

/** Stores what `verdict` has no fault with, and keeps the promises of EventTransport where it has. */
export class FaultyTransport implements EventTransport {
  readonly stored: EventRecord[] = []
  /** Handed over, a list a turn of the event loop. */
  readonly turns: EventRecord[][] = []
  isClosed = false
  /** Why a record is not stored. `hold`: it and those behind it stay on their way until `release`. */
  verdict: (record: EventRecord) => Verdict = () => undefined
  /** Whether a record that fails is stored all the same. */
  losesAnswer: (record: EventRecord) => boolean = () => false
  private coming: Sent[] = []
  private held: Sent[] = []

  /** The `msg_id`s that were stored in a topic. */
  storedIn (topic: string): string[] {
    return this.stored.filter(record => record.topic === topic).map(msgIdOf)
  }

  get sent (): EventRecord[] {
    return this.turns.flat()
  }

  get onTheWay (): EventRecord[] {
    return [...this.held, ...this.coming].map(({ record }) => record)
  }

  send (record: EventRecord, done: (error?: PublishError) => void): void {
    if (this.coming.length === 0) {
      this.turns.push([])
      setImmediate(() => {
        const coming = this.coming
        this.coming = []
        this.settle(coming, this.verdict)
      })
    }
    this.coming.push({ record, done })
    this.turns.at(-1)?.push(record)
  }

  /** Settles what was held. */
  release (verdict: PublishError | ((record: EventRecord) => Verdict) = () => undefined): void {
    const held = this.held
    this.held = []
    this.settle(held, typeof verdict === 'function' ? verdict : () => verdict)
  }

  async close (): Promise<void> {
    this.isClosed = true
  }

  private settle (batch: Sent[], verdictOn: (record: EventRecord) => Verdict): void {
    const verdicts = new Map<string, PublishError | 'hold'>()
    const broken = new Set<string>()
    for (const sent of batch) {
      const { record } = sent
      const line = `${record.topic} ${record.key}`
      const verdict = verdicts.get(line) ?? verdictOn(record)
      if (verdict !== undefined && (verdict === 'hold' || verdict.fault !== 'event')) verdicts.set(line, verdict)
      if (verdict === 'hold') {
        this.held.push(sent)
        continue
      }
      if (verdict === undefined) {
        this.stored.push(record)
      } else if (verdict.fault !== 'event') {
        // Nothing is stored behind what is not.
        if (!broken.has(line) && this.losesAnswer(record)) this.stored.push(record)
        else broken.add(line)
      }
      sent.done(verdict)
    }
  }
}

export interface QueueSetup {
  queue: EventQueue
  transport: FaultyTransport
  clock: TestClock
  log: Array<{ level: string, message: string, fields: Record<string, unknown> }>
  metrics: (tenantId: string) => TenantMetrics
  dropped: (tenantId: string) => Record<string, number>
  /** Publishes events with these ids, in this order. */
  publish: (msgIds: readonly string[], fields?: Partial<MqEvent>) => boolean[]
  /** Lets turns of the event loop pass until nothing happens in them any more. */
  settle: () => Promise<void>
  /** The same, and time, until nothing is pending. */
  drain: () => Promise<void>
}

export function setup (options: Partial<Omit<EventQueueOptions, 'limits'> & { limits: Partial<EventLimits> }> = {}): QueueSetup {
  const clock = new TestClock()
  const transport = new FaultyTransport()
  const tenants = new Map<string, TenantMetrics>()
  const log: QueueSetup['log'] = []
  const line = (level: string) => (fields: object, message: string): void => {
    log.push({ level, message, fields: { ...fields } })
  }
  const metrics = (tenantId: string): TenantMetrics => {
    let of = tenants.get(tenantId)
    if (of === undefined) tenants.set(tenantId, of = new TenantMetrics())
    return of
  }
  const queue = new EventQueue({
    transport,
    topics: { event: tenantId => tenantId, deadLetter: tenantId => `${tenantId}-dlq` },
    nodeId: 'n1',
    metricsOf: metrics,
    maxAttempts: 3,
    backoffMs: 50,
    log: { info: line('info'), warn: line('warn') },
    now: clock.now,
    date: () => 1_700_000_001_000,
    random: () => 1,
    startTimer: clock.startTimer,
    ...options,
    limits: { ...NO_LIMITS, ...options.limits },
  })
  const pending = (): number => [...tenants.values()].reduce((sum, { eventsPending }) => sum + eventsPending, 0)
  const settle = async (): Promise<void> => {
    // Handing over and settling take a turn each, so quiet turns in a row mean that it waits for a time, or for us.
    for (let quiet = 0, before = ''; quiet < 4;) {
      await turn()
      const now = `${transport.sent.length} ${transport.onTheWay.length} ${pending()}`
      quiet = now === before ? quiet + 1 : 0
      before = now
    }
  }
  return {
    queue,
    transport,
    clock,
    log,
    metrics,
    dropped: tenantId => Object.fromEntries([...metrics(tenantId).eventsDropped.entries()].filter(([, n]) => n > 0)),
    publish: (msgIds, fields) => msgIds.map(msgId => queue.publish(event({ ...fields, msgId }))),
    settle,
    drain: async () => {
      await settle()
      while (pending() > 0) {
        if (clock.isIdle) throw new Error(`${pending()} events are pending, and nothing will happen any more`)
        clock.advanceToNext()
        await settle()
      }
    },
  }
}

/** `m1` to `m<count>`. */
export const ids = (count: number, prefix = 'm'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)
