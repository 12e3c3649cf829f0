import type { PublishError } from './event-transport.js'
import type { EncodedEvent } from './mq-event.js'

/** Memory of an event beside its value, for the limits in bytes: objects, key, ids, headers on the way. */
export const EVENT_OVERHEAD_BYTES = 512

/** The same of its span, where it is traced. */
const SPAN_BYTES = 1024

/** An event that was taken and is neither published nor dropped yet. */
export class PendingEvent {
  /** The one behind it in its line. */
  next?: PendingEvent = undefined

  /** How often its topic was tried and would not take it. Kafka being out of reach does not count. */
  attempts = 0

  /** Why it goes to the dead letter topic. Not set: its topic may yet take it. */
  sentence?: PublishError = undefined
  isSigned = false

  /** Its event_data is gone, so only the dead letter topic may have it. */
  isTruncated = false

  /** What it counts for the limits. */
  readonly bytes: number

  /** @param takenAt milliseconds that only go forward */
  constructor (public event: EncodedEvent, readonly takenAt: number) {
    this.bytes = EVENT_OVERHEAD_BYTES + event.value.length + (event.span === undefined ? 0 : SPAN_BYTES)
  }

  /**
   * Makes it fit to be kept for long: a small buffer is a view of a larger one that Node shares among many, which would
   * be kept with it.
   */
  keep (): void {
    const { value } = this.event
    if (value.buffer.byteLength === value.length) return
    const own = Buffer.allocUnsafeSlow(value.length)
    own.set(value)
    this.event = { ...this.event, value: own }
  }
}
