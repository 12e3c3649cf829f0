import type { Tally } from './tally.js'

/** What an ack says of a message. */
export type Answer = typeof SENT | typeof BUFFERED | typeof NOTIFIED | typeof FAILED

const UNANSWERED = 0
export const SENT = 1
/** Held by the gateway for its only recipient. */
export const BUFFERED = 2
/** Announced to the tenant for its only recipient, or not even that. */
export const NOTIFIED = 3
export const FAILED = 4

const FIRST_SIZE = 64
/** Of a sender: so much later than its message anything is too late to be told from a repeat. */
const LAST_SIZE = 65_536

/**
 * The messages of one sender to one audience, from the first whose fate is open: which were answered, and how many of
 * the recipients have them. When a message's fate is known it is counted, and its place is free. Bounded: it takes at
 * most 65,536 messages; beyond, the oldest is counted as it is then.
 */
export class Stream {
  /** Of its audience, how many are connected. */
  recipients: number
  /** Messages without an ack. */
  unanswered = 0
  /** The first whose fate is open. */
  #base = 0
  #next = 0
  /** Recipients left when these had been sent: whom they were missing for is not known. */
  #disturbedBelow = 0
  #size = FIRST_SIZE
  #times = new Float64Array(FIRST_SIZE)
  #answers = new Uint8Array(FIRST_SIZE)
  #arrived = new Uint16Array(FIRST_SIZE)
  #expected = new Uint16Array(FIRST_SIZE)

  /**
   * @param options.recipients who are to get each message, besides the sender
   * @param options.isHeldDelivered whether a message that the gateway held is to come yet
   */
  constructor (
    readonly index: number,
    private readonly tally: Tally,
    private readonly options: { recipients: number, isHeldDelivered: boolean }
  ) {
    this.recipients = options.recipients
  }

  /** Whether everything that was sent has been answered and received. */
  get isSettled (): boolean {
    return this.#base === this.#next
  }

  get sent (): number {
    return this.#next
  }

  /** Takes a place for a message, whose latency counts from `timeMs`. Returns its sequence. */
  open (timeMs: number): number {
    if (this.#next - this.#base === this.#size) this.#makeRoom()
    const sequence = this.#next++
    const i = sequence & (this.#size - 1)
    this.#times[i] = timeMs
    this.#answers[i] = UNANSWERED
    this.#arrived[i] = 0
    this.#expected[i] = this.recipients
    this.unanswered++
    return sequence
  }

  /** An ack has come. Returns the message's time; undefined: it had one before, or was never sent. */
  answer (sequence: number, answer: Answer): number | undefined {
    if (sequence < this.#base || sequence >= this.#next) return undefined
    const i = sequence & (this.#size - 1)
    if (this.#answers[i] !== UNANSWERED) return undefined
    this.#answers[i] = answer
    this.unanswered--
    const time = this.#times[i]
    if (sequence === this.#base) this.#settle()
    return time
  }

  /** Whether all of its audience have it already; so they have where its fate has been counted. */
  hasArrived (sequence: number): boolean {
    if (sequence < this.#base) return true
    const i = sequence & (this.#size - 1)
    return this.#arrived[i] >= Math.max(1, this.#expected[i])
  }

  /** One of the audience has it, for the first time. False: it was never sent. */
  arrive (sequence: number): boolean {
    if (sequence >= this.#next) return false
    this.tally.deliveries.received++
    if (sequence < this.#base) {
      // It was not to come any more.
      this.tally.deliveries.unexpected++
      return true
    }
    this.#arrived[sequence & (this.#size - 1)]++
    if (sequence === this.#base) this.#settle()
    return true
  }

  /** The connection of a recipient has ended: what is open may never come, and is not lost. */
  recipientLeft (): void {
    this.recipients--
    this.recipientMissed()
  }

  /** A recipient could not connect for what is open. */
  recipientMissed (): void {
    this.#disturbedBelow = this.#next
  }

  /** Counts what is open as it is. Nothing may be sent afterwards. */
  close (): void {
    while (this.#base < this.#next) this.#count()
  }

  #settle (): void {
    while (this.#base < this.#next && this.#isSettled(this.#base & (this.#size - 1))) this.#count()
  }

  #isSettled (i: number): boolean {
    const answer = this.#answers[i]
    return answer === FAILED || answer === NOTIFIED || (answer !== UNANSWERED && this.#arrived[i] >= this.#expected[i])
  }

  /** Counts the first, and lets go of it. */
  #count (): void {
    const { messages, deliveries } = this.tally
    const i = this.#base & (this.#size - 1)
    const answer = this.#answers[i]
    const arrived = this.#arrived[i]
    const isDisturbed = this.#base < this.#disturbedBelow
    this.#base++
    if (answer === UNANSWERED) {
      messages.unanswered++
      this.unanswered--
    }
    if (answer === UNANSWERED || answer === FAILED) {
      deliveries.unexpected += arrived
      return
    }
    const missing = Math.max(0, this.#expected[i] - arrived)
    deliveries.expected += arrived + missing
    if (answer === NOTIFIED || (answer === BUFFERED && !this.options.isHeldDelivered)) deliveries.held += missing
    else if (isDisturbed) deliveries.missed += missing
    else deliveries.lost += missing
  }

  #makeRoom (): void {
    if (this.#size === LAST_SIZE) {
      this.#count()
      this.#settle()
      return
    }
    const size = this.#size * 2
    const from = { times: this.#times, answers: this.#answers, arrived: this.#arrived, expected: this.#expected }
    this.#times = new Float64Array(size)
    this.#answers = new Uint8Array(size)
    this.#arrived = new Uint16Array(size)
    this.#expected = new Uint16Array(size)
    for (let sequence = this.#base; sequence < this.#next; sequence++) {
      const i = sequence & (this.#size - 1)
      const to = sequence & (size - 1)
      this.#times[to] = from.times[i]
      this.#answers[to] = from.answers[i]
      this.#arrived[to] = from.arrived[i]
      this.#expected[to] = from.expected[i]
    }
    this.#size = size
  }
}
