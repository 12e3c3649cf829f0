import type { DeliveryOutcome } from '../routing/dispatch.js'
import type { Span, SpanAttributes, SpanKind, SpanParent } from './span.js'

/** Spans beneath one message. A message to a large group may have an event for each of its members. */
const MAX_CHILDREN = 64

/** What happens to a message piece by piece. */
type Piecemeal = 'mics.deliver' | 'mics.buffer'

/** Where a span that is made of pieces stands. */
interface Sum {
  span: Span
  count: number
  /** Of the last piece, by performance.now(). */
  at: number
}

/** The span of a message at its sender's node, and those beneath it. */
export class MessageSpan implements SpanParent {
  private children = 0
  private readonly sums = new Map<Piecemeal, Sum>()

  constructor (private readonly span: Span) {}

  /** Of the message itself. */
  get traceparent (): string {
    return this.span.traceparent
  }

  child (name: string, kind: SpanKind, attributes: SpanAttributes): Span | undefined {
    return ++this.children > MAX_CHILDREN ? undefined : this.span.child(name, kind, attributes)
  }

  /** The message has been handed to so many devices here. From the first to the last of them is one span. */
  delivered (devices: number): void {
    this.add('mics.deliver', devices)
  }

  /** The message is kept in the offline buffer here for one more user, likewise. */
  buffered (): void {
    this.add('mics.buffer', 1)
  }

  /**
   * The message has been answered.
   * @param reason of the gateway's own, never the text of a hook
   * @param isFault whether something did not work, rather than was refused
   */
  end (status: string, reason: string, isFault: boolean, outcome: DeliveryOutcome | undefined): void {
    for (const [name, { span, count, at }] of this.sums) {
      span.set({ [name === 'mics.deliver' ? 'mics.devices' : 'mics.users']: count })
      span.end(at)
    }
    this.sums.clear()
    this.span.set({ 'mics.ack_status': status })
    if (reason !== '') this.span.set({ 'mics.ack_reason': reason })
    if (isFault) this.span.fail(reason)
    if (outcome !== undefined) {
      const { delivered, notified, buffered, skipped } = outcome
      this.span.set({
        'mics.users_delivered': delivered,
        'mics.users_notified': notified,
        'mics.users_buffered': buffered,
        'mics.users_skipped': skipped,
      })
    }
    this.span.end()
  }

  private add (name: Piecemeal, count: number): void {
    let sum = this.sums.get(name)
    if (sum === undefined) {
      const span = this.child(name, 'internal', {})
      if (span === undefined) return
      this.sums.set(name, sum = { span, count: 0, at: 0 })
    }
    sum.count += count
    sum.at = performance.now()
  }
}
