import type { EventRecord, EventTransport, PublishError } from '../../../lib/mq/event-transport.js'
import { MemoryEventTransport } from '../../../lib/mq/memory-event-transport.js'
import type { PartitionBounds, PartitionRange, TopicRecord } from '../../../lib/mq/kafka/topic-reader.js'

/** A topic in memory, read and committed as by a TopicReader. */
export class MemoryTopic {
  readonly partitions: TopicRecord[][]
  /** What was deleted from the start of each partition. */
  readonly deleted: number[]
  offsets = new Map<number, number>()
  /** Every commit there was. */
  readonly commits: Array<ReadonlyMap<number, number>> = []

  constructor (partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => [])
    this.deleted = this.partitions.map(() => 0)
  }

  /** Adds a dead letter. */
  add (partition: number, value: string | null, more: Partial<TopicRecord> = {}): void {
    const records = this.partitions[partition]
    records.push({
      partition,
      offset: records.length,
      key: `key-${partition}`,
      value: value === null ? null : Buffer.from(value),
      timestampMs: records.length,
      headers: [['mics-tenant-id', 'acme'], ['mics-dlq-reason', 'MSG_SIZE_TOO_LARGE'], ['mics-dlq-attempts', '3']],
      ...more,
    })
  }

  async bounds (): Promise<PartitionBounds[]> {
    return this.partitions.map(({ length }, partition) => ({ partition, low: this.deleted[partition], high: length }))
  }

  async offsetsSince (bounds: readonly PartitionBounds[], timeMs: number): Promise<Map<number, number>> {
    return new Map(bounds.map(({ partition, high }) => {
      const offset = this.partitions[partition].findIndex(({ timestampMs }) => timestampMs >= timeMs)
      return [partition, offset === -1 ? high : offset]
    }))
  }

  async committed (): Promise<Map<number, number>> {
    return new Map(this.offsets)
  }

  async commit (offsets: ReadonlyMap<number, number>): Promise<void> {
    this.commits.push(offsets)
    this.offsets = new Map([...this.offsets, ...offsets])
  }

  async * read (ranges: readonly PartitionRange[], signal?: AbortSignal): AsyncGenerator<TopicRecord[]> {
    const records = ranges.flatMap(({ partition, from, to }) => this.partitions[partition].slice(from, to))
    if (records.length > 0 && signal?.aborted !== true) yield records
  }
}

/** Takes records, but for those whose value it has an error for: the first of a list, and the last of it for ever. */
export class ScriptedTransport implements Pick<EventTransport, 'send'> {
  private readonly memory = new MemoryEventTransport()
  readonly errors: Map<string, Array<PublishError | undefined>>
  /** How often records were sent. */
  sent = 0

  constructor (errors: Array<[value: string, ...errors: Array<PublishError | undefined>]> = []) {
    this.errors = new Map(errors.map(([value, ...list]) => [value, list]))
  }

  get records (): readonly EventRecord[] {
    return this.memory.records
  }

  get values (): string[] {
    return this.records.map(({ value }) => String(value))
  }

  send (record: EventRecord, done: (error?: PublishError) => void): void {
    this.sent++
    const list = this.errors.get(String(record.value)) ?? []
    const error = list.length > 1 ? list.shift() : list[0]
    if (error === undefined) this.memory.send(record, done)
    else setImmediate(done, error)
  }
}
