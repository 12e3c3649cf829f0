import { PublishError, type EventRecord, type EventTransport } from './event-transport.js'

const MAX_RECORDS = 1000
const MAX_BYTES = 16 * 1024 * 1024

/** Keeps the latest records of all topics in memory, where there is no Kafka: the oldest give way to the newest. */
export class MemoryEventTransport implements EventTransport {
  private readonly kept: EventRecord[] = []
  private bytes = 0
  private coming: Array<{ record: EventRecord, done: (error?: PublishError) => void }> = []
  private readonly subscribers = new Set<(record: EventRecord) => void>()
  private isClosed = false

  /** The latest 1000, and of those the latest 16 MiB, oldest first. */
  get records (): readonly EventRecord[] {
    return this.kept
  }

  /** Tells of each record that comes from now on, until what it returns is called. */
  subscribe (subscriber: (record: EventRecord) => void): () => void {
    this.subscribers.add(subscriber)
    return () => this.subscribers.delete(subscriber)
  }

  send (record: EventRecord, done: (error?: PublishError) => void): void {
    if (this.coming.push({ record, done }) === 1) setImmediate(this.store)
  }

  async close (): Promise<void> {
    this.isClosed = true
  }

  private readonly store = (): void => {
    const batch = this.coming
    this.coming = []
    const error = this.isClosed ? new PublishError('cluster', 'CLOSED', 'the transport is closed') : undefined
    for (const { record, done } of batch) {
      if (error === undefined) this.keep(record)
      done(error)
    }
    if (error !== undefined) return
    for (const subscriber of this.subscribers) {
      for (const { record } of batch) subscriber(record)
    }
  }

  private keep (record: EventRecord): void {
    this.kept.push(record)
    this.bytes += record.value.length
    while (this.kept.length > MAX_RECORDS || this.bytes > MAX_BYTES) {
      this.bytes -= (this.kept.shift() as EventRecord).value.length
    }
  }
}
