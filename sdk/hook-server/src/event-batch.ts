import { setTimeout as delay } from 'node:timers/promises'
import type { EventHeaders, GatewayEvent } from './event.js'
import type { EventMetrics } from './event-metrics.js'
import type { ThrottledLogger } from './logger.js'
import { InvalidEventError, openEvent, type EventSigning } from './open-event.js'
import type { SeenEvents } from './seen-events.js'
import type { Slots } from './slots.js'

/** Where an event stands in Kafka. */
export interface EventRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  /** The conversation. */
  readonly key: string | null
  readonly value: Uint8Array
  readonly headers: EventHeaders
}

export interface EventContext {
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly record: EventRecord
  /** Aborts when the consumer is told to stop: a handler may go on, and `stop` waits for it. */
  readonly signal: AbortSignal
}

export interface EventHandling {
  handler: (event: GatewayEvent, context: EventContext) => void | Promise<void>
  onFailed?: (event: GatewayEvent, error: unknown, record: EventRecord) => void | Promise<void>
  onInvalid?: (error: InvalidEventError, record: EventRecord) => void | Promise<void>
  maxAttempts: number
  retryDelayMs: number
}

/** Milliseconds; the wait between two attempts doubles up to this. */
const MAX_RETRY_DELAY_MS = 5000

/**
 * Handles the records of one partition: those of a conversation one after another, those of several side by side. It is
 * done with a record when it was handled, is a repeat, or was given to `onInvalid` or `onFailed`.
 */
export class EventBatch {
  private readonly done: boolean[]

  constructor (
    private readonly records: readonly EventRecord[],
    private readonly deps: {
      signing: EventSigning
      handling: EventHandling
      seen: SeenEvents
      slots: Slots
      metrics: EventMetrics
      log: ThrottledLogger
      /** Aborts when the consumer is told to stop. */
      stopping: AbortSignal
      /** Has the partition been given to another consumer? Then what has not begun is not. */
      isLost: () => boolean
      /** Has it taken so long that what has not begun should come with the next batch? */
      isOverdue: () => boolean
    }
  ) {
    this.done = records.map(() => false)
  }

  /**
   * Resolves when nothing of it is at work any more, with how many of the first records are done: those may be
   * committed. The others come again. Never rejects.
   */
  async run (): Promise<number> {
    const lines = new Map<string | number, number[]>()
    for (const [i, { key }] of this.records.entries()) {
      // A record without a key is in no conversation.
      const line = lines.get(key ?? i)
      if (line === undefined) lines.set(key ?? i, [i])
      else line.push(i)
    }
    await Promise.all([...lines.values()].map(async line => await this.handleLine(line)))
    const undone = this.done.indexOf(false)
    return undone === -1 ? this.records.length : undone
  }

  private async handleLine (line: readonly number[]): Promise<void> {
    for (const i of line) {
      if (!this.mayBegin) return
      const record = this.records[i]
      this.done[i] = await this.deps.slots.run(record.topic, async () => this.mayBegin && await this.handle(record))
      // What is behind it in the conversation must not come before it.
      if (!this.done[i]) return
    }
  }

  private get mayBegin (): boolean {
    return !this.isEnding && !this.deps.isOverdue()
  }

  private get isEnding (): boolean {
    return this.deps.stopping.aborted || this.deps.isLost()
  }

  /** Is it done with? */
  private async handle (record: EventRecord): Promise<boolean> {
    const { metrics, log } = this.deps
    metrics.inProgress++
    try {
      return await this.attempt(record)
    } catch (error) {
      // The caller's own store or callback. The record comes again.
      log.error('event', { ...placeOf(record), err: error }, 'an event could not be handled, and will be tried again')
      await this.wait(record, MAX_RETRY_DELAY_MS)
      return false
    } finally {
      metrics.inProgress--
    }
  }

  private async attempt (record: EventRecord): Promise<boolean> {
    const { signing, handling, seen, metrics, log, stopping } = this.deps
    let event: GatewayEvent
    try {
      event = await openEvent(record.value, { ...signing, headers: record.headers })
    } catch (error) {
      if (!(error instanceof InvalidEventError)) throw error
      if (handling.onInvalid !== undefined) await handling.onInvalid(error, record)
      else log.error(`invalid ${error.reason}`, { ...placeOf(record), reason: error.reason }, `event passed over: ${error.message}`)
      metrics.count('invalid')
      return true
    }
    if (await seen.has(event.identity)) {
      metrics.count('repeated')
      return true
    }
    for (let attempt = 1; ; attempt++) {
      try {
        await handling.handler(event, { attempt, record, signal: stopping })
        break
      } catch (error) {
        metrics.failedAttempts++
        log.error('handler', { ...placeOf(record), type: event.type, traceId: event.traceId, attempt, err: error },
          'the handler of events failed')
        const isLast = attempt >= handling.maxAttempts
        if (!isLast || handling.onFailed === undefined) {
          await this.wait(record, Math.min(handling.retryDelayMs * 2 ** (attempt - 1), MAX_RETRY_DELAY_MS))
          // Without anybody to take it, it is not passed over: its partition waits, and it is tried again.
          if (isLast || this.isEnding) return false
          continue
        }
        await handling.onFailed(event, error, record)
        metrics.count('parked')
        await seen.add(event.identity)
        return true
      }
    }
    metrics.count('handled')
    await seen.add(event.identity)
    return true
  }

  /** Until then, or until the consumer is told to stop. Others are handled meanwhile. */
  private async wait ({ topic }: EventRecord, ms: number): Promise<void> {
    const { slots, metrics, stopping } = this.deps
    metrics.inProgress--
    await slots.lend(topic, async () => await delay(ms, undefined, { signal: stopping }).catch(error => {
      if ((error as Error).name !== 'AbortError') throw error
    }))
    metrics.inProgress++
  }
}

function placeOf ({ topic, partition, offset }: EventRecord): object {
  return { topic, partition, offset }
}
