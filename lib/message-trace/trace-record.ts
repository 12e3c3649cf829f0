import type { Message } from '../protocol/message.js'
import type { DeliveryOutcome } from '../routing/dispatch.js'
import { TraceStep, type TraceStage } from './trace-step.js'

/** How a message came to this node: from its sender, from a peer for devices here, or for the offline buffer here. */
export type TraceOrigin = 'client' | 'peer' | 'peer_buffer'

/** Steps of one message; beyond, they are counted. */
export const MAX_STEPS = 32

/** Of these, those that recipients may take, so that the ack of a message to a large group finds room. */
export const MAX_RECIPIENT_STEPS = 20

/** Characters of an id of a recipient, and of a detail: both may be anybody's text. */
const MAX_TEXT_LENGTH = 256

/**
 * What is known of one message: never its body. Belongs to one message after the other, each with a ticket of its own.
 */
export class TraceRecord {
  /** Of the message that it belongs to now; what comes late for an earlier one is told by it. */
  ticket = 0
  /** The tenant's next newer record. */
  newer?: TraceRecord

  origin: TraceOrigin = 'client'
  msgId = ''
  userId = ''
  deviceId = ''
  toUserId = ''
  groupId = ''
  /** Of the sender's connection; empty where the message came from a peer. */
  traceId = ''
  bodyBytes = 0
  /** Milliseconds by the clock of the steps. */
  startedAt = 0
  /** When the last step was noted. */
  lastAt = 0

  /** Members of a group, by what became of the message for them. */
  delivered = 0
  notified = 0
  buffered = 0
  skipped = 0
  /** Of a group message: devices here that it was handed to, and sockets that have taken it. */
  devices = 0
  written = 0

  /** Steps there was no room for. */
  leftOut = 0
  private readonly pool: TraceStep[] = []
  private used = 0

  /** @param clock milliseconds, by a clock that nobody sets */
  constructor (private readonly clock: () => number) {}

  get isGroup (): boolean {
    return this.groupId !== ''
  }

  /** In the order noted. */
  get steps (): readonly TraceStep[] {
    return this.pool.slice(0, this.used)
  }

  begin (ticket: number, message: Message, origin: TraceOrigin, traceId: string): void {
    const at = this.clock()
    this.ticket = ticket
    this.newer = undefined
    this.origin = origin
    this.msgId = message.msgId
    this.userId = message.userId
    this.deviceId = message.deviceId
    this.toUserId = message.toUserId
    this.groupId = message.groupId
    this.traceId = traceId
    this.bodyBytes = message.msgBody.length
    this.startedAt = at
    this.lastAt = at
    this.delivered = this.notified = this.buffered = this.skipped = 0
    this.devices = this.written = 0
    this.leftOut = this.used = 0
  }

  /** What became of it for how many users, once that is known. */
  conclude ({ delivered, notified, buffered, skipped }: DeliveryOutcome): void {
    this.delivered = delivered
    this.notified = notified
    this.buffered = buffered
    this.skipped = skipped
  }

  /**
   * @param limit steps that it may be the last of
   * @param isAtOnce whether it took no time after the step before: then no clock is read
   */
  add (
    limit: number, isAtOnce: boolean, stage: TraceStage, result: string, detail: string, userId: string,
    deviceId: string, member: string, count: number
  ): void {
    if (this.used >= limit) {
      this.leftOut++
      return
    }
    const step = this.pool[this.used] ??= new TraceStep()
    this.used++
    if (!isAtOnce) this.lastAt = this.clock()
    step.at = this.lastAt
    step.stage = stage
    step.result = result
    step.detail = bounded(detail)
    step.userId = bounded(userId)
    step.deviceId = deviceId
    step.member = member
    step.count = count
  }
}

/** A text of its own: a part of a longer one would keep all of it. */
function bounded (text: string): string {
  return text.length <= MAX_TEXT_LENGTH ? text : Buffer.from(text.slice(0, MAX_TEXT_LENGTH)).toString()
}
