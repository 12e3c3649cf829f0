import { setTimeout as delay } from 'node:timers/promises'
import { DEAD_LETTER_PREFIX, readDeadLetterHeaders, REPLAYED_AT } from '../event-headers.js'
import type { EventRecord, EventTransport, PublishError } from '../event-transport.js'
import type { PartitionRange, TopicReader, TopicRecord } from './topic-reader.js'

/** Dead letters that are on their way at once. So many may be published twice where a replay is interrupted. */
const CHUNK = 100

/** What there is to replay. */
export interface ReplayPlan {
  readonly ranges: readonly PartitionRange[]
  /** Dead letters in them. */
  readonly total: number
  /** Those that an earlier replay was through with. */
  readonly earlier: number
  /** Those that are passed over because they are too old. */
  readonly older: number
}

export interface PlanOptions {
  /** Unix milliseconds. Dead letters that were written before are passed over. */
  sinceMs?: number
  /** Start over, whatever was replayed earlier. */
  again?: boolean
}

export interface ReplayOptions {
  /** Only count. */
  dryRun?: boolean
  /** Dead letters a second, at most. */
  rate?: number
  /** Go on after a dead letter that its topic refuses for ever, such as one that is too large. */
  skipFailed?: boolean
  /** Ends the replay after what is on its way. */
  signal?: AbortSignal
  onProgress?: (counts: Readonly<ReplayCounts>) => void
  onFailed?: (record: TopicRecord, error: PublishError) => void
}

/** What became of the dead letters. The rest was not looked at. */
export interface ReplayCounts {
  replayed: number
  /** Without their data, or without a value: nothing that a consumer could use. */
  truncated: number
  failed: number
}

/** A dead letter could not be published. It and all behind it in its partition are for the next replay. */
export class ReplayStoppedError extends Error {
  readonly code = 'MICS_REPLAY_STOPPED'

  constructor (
    { partition, offset }: TopicRecord, readonly error: PublishError, readonly counts: Readonly<ReplayCounts>
  ) {
    super(`the dead letter at partition ${partition}, offset ${offset} could not be published: ` +
      `${error.reason}: ${error.message}`, { cause: error })
    this.name = 'ReplayStoppedError'
  }
}

/**
 * Publishes a tenant's dead letters once more, to its topic of events: value and key as they are, without the headers
 * that say why they were dead letters. How far it came is remembered by the reader, after Kafka has stored what was
 * published; so one that was interrupted goes on where it stopped, and publishes a few dead letters twice.
 */
export class DeadLetterReplay {
  /**
   * @param reader of the dead letter topic
   * @param eventTopic where they go
   * @param now Unix milliseconds
   */
  constructor (
    private readonly reader: Pick<TopicReader, 'bounds' | 'offsetsSince' | 'committed' | 'commit' | 'read'>,
    private readonly transport: Pick<EventTransport, 'send'>,
    private readonly eventTopic: string,
    private readonly now: () => number = Date.now
  ) {}

  /** What there is to replay now. What becomes a dead letter later is for the next time. */
  async plan ({ sinceMs, again = false }: PlanOptions = {}): Promise<ReplayPlan> {
    const { reader } = this
    const bounds = await reader.bounds()
    const committed = again ? new Map<number, number>() : await reader.committed(bounds)
    const since = sinceMs === undefined ? new Map<number, number>() : await reader.offsetsSince(bounds, sinceMs)
    let [earlier, older, total] = [0, 0, 0]
    const ranges = bounds.map(({ partition, low, high }) => {
      const known = committed.get(partition) ?? low
      // More than there is was remembered of a topic that was deleted and created anew.
      const start = known > high ? low : Math.max(low, known)
      const from = Math.max(start, since.get(partition) ?? start)
      earlier += start - low
      older += from - start
      total += high - from
      return { partition, from, to: high }
    })
    return { ranges, total, earlier, older }
  }

  /**
   * @throws {ReplayStoppedError} when a dead letter cannot be published, unless `skipFailed` says to go on.
   */
  async run ({ ranges, older }: ReplayPlan, options: ReplayOptions = {}): Promise<ReplayCounts> {
    const { dryRun = false, rate, signal } = options
    const counts: ReplayCounts = { replayed: 0, truncated: 0, failed: 0 }
    // What is passed over now is passed over for good: progress is one offset a partition.
    if (!dryRun && older > 0) await this.reader.commit(new Map(ranges.map(({ partition, from }) => [partition, from])))
    const pace = new Pace(rate, this.now)
    for await (const records of this.reader.read(ranges, signal)) {
      for (let start = 0; start < records.length; start += pace.chunk) {
        if (signal?.aborted === true) return counts
        const chunk = records.slice(start, start + pace.chunk)
        if (dryRun) countOnly(chunk, counts)
        else await this.publish(chunk, counts, options)
        options.onProgress?.(counts)
        if (!dryRun) await pace.wait(chunk.length, signal)
      }
    }
    return counts
  }

  private async publish (chunk: TopicRecord[], counts: ReplayCounts, options: ReplayOptions): Promise<void> {
    const errors = await Promise.all(chunk.map(async record => await this.send(record)))
    const progress = new Map<number, number>()
    /** Partitions with one that is for the next replay, and so is what is behind it. */
    const blocked = new Set<number>()
    let stop: ReplayStoppedError | undefined
    for (const [i, record] of chunk.entries()) {
      const { partition, offset } = record
      if (blocked.has(partition)) continue
      let error = errors[i]
      if (error !== undefined && stop === undefined) {
        // Brokers refuse batches, not records: on its own it may be taken, or is known to be at fault itself.
        if (error.fault === 'topic') error = await this.send(record)
        if (error !== undefined) {
          counts.failed++
          options.onFailed?.(record, error)
          const isSkipped = error.fault === 'event' && options.skipFailed === true
          if (!isSkipped) stop = new ReplayStoppedError(record, error, counts)
        }
      }
      if (error !== undefined && stop !== undefined) {
        blocked.add(partition)
        continue
      }
      if (error === undefined) {
        if (isUseless(record)) counts.truncated++
        else counts.replayed++
      }
      progress.set(partition, offset + 1)
    }
    if (progress.size > 0) await this.reader.commit(progress)
    if (stop !== undefined) throw stop
  }

  /** Resolves with what was wrong, or undefined when the record is stored, or not worth publishing. */
  private async send (record: TopicRecord): Promise<PublishError | undefined> {
    const { key, value } = record
    if (value === null || isUseless(record)) return undefined
    const replayed: EventRecord = { topic: this.eventTopic, key, value, headers: this.headersOf(record) }
    return await new Promise(resolve => this.transport.send(replayed, resolve))
  }

  private headersOf ({ headers }: TopicRecord): EventRecord['headers'] {
    const own = headers.filter(([name]) => !name.startsWith(DEAD_LETTER_PREFIX) && name !== REPLAYED_AT)
    return [...own, [REPLAYED_AT, String(this.now())]]
  }
}

function countOnly (records: TopicRecord[], counts: ReplayCounts): void {
  for (const record of records) {
    if (isUseless(record)) counts.truncated++
    else counts.replayed++
  }
}

function isUseless ({ value, headers }: TopicRecord): boolean {
  return value === null || readDeadLetterHeaders(headers)?.isTruncated === true
}

/** Keeps to a number of dead letters a second. */
class Pace {
  /** How many go at once: a tenth of a second's worth, so that they do not come in bursts. */
  readonly chunk: number
  private readonly startedAt: number
  private done = 0

  constructor (private readonly rate: number | undefined, private readonly now: () => number) {
    this.chunk = rate === undefined ? CHUNK : Math.min(CHUNK, Math.max(1, Math.floor(rate / 10)))
    this.startedAt = now()
  }

  /** Resolves when those after `count` more may go, or at `signal`. */
  async wait (count: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.rate === undefined) return
    this.done += count
    const ms = this.startedAt + this.done / this.rate * 1000 - this.now()
    if (ms <= 0) return
    await delay(ms, undefined, { signal }).catch(error => {
      if (signal?.aborted !== true) throw error
    })
  }
}
