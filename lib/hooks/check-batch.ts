import type { TenantSettings } from '../config/gateway-config.js'
import type { Message } from '../protocol/message.js'
import { writeMessageRequest } from '../protocol/server-frame.js'
import { varintSize, writeVarint } from '../protocol/wire-writer.js'
import type { Span, SpanAttributes } from '../tracing/span.js'
import type { CheckVerdict } from './check-verdicts.js'
import type { HookFailure, HookResult } from './hook-failure.js'

/** Bytes of the messages of one call. A larger message goes by itself. */
export const MAX_BATCH_BYTES = 1024 * 1024

/** (2 << 3) | length-delimited: `messages` in CheckMessagesRequest. */
const MESSAGES = 2 << 3 | 2

/** Hears what became of a question. Must not throw. */
export type OnVerdict = (result: HookResult<CheckVerdict>) => void

/** A message that is asked about. */
export interface CheckMember {
  readonly message: Message
  /** Bytes of the message as a MessageRequest. */
  readonly size: number
  readonly traceId: string
  /** By performance.now(). */
  readonly askedAt: number
  /** The message's own part of a trace, where it is traced. */
  readonly span: Span | undefined
  readonly onVerdict: OnVerdict
}

/** Messages that a tenant's check hook is asked about in one call, those that asked first at the front. */
export class CheckBatch {
  /** Since when it waits for a slot, by performance.now(); others may still join. Undefined: it gathers. */
  queuedAt?: number
  /** Until when more messages are waited for, by performance.now(). */
  dueAt = 0
  private isTraced = false
  private bytes = 0

  private constructor (readonly settings: TenantSettings, readonly members: CheckMember[]) {
    for (const { size, span } of members) {
      this.bytes += fieldSize(size)
      if (span !== undefined) this.isTraced = true
    }
  }

  static of (settings: TenantSettings, ...members: CheckMember[]): CheckBatch {
    return new CheckBatch(settings, members)
  }

  get size (): number {
    return this.members.length
  }

  get isFull (): boolean {
    return this.members.length >= this.settings.checkBatchMaxMessages || this.bytes >= MAX_BATCH_BYTES
  }

  hasRoomFor (size: number): boolean {
    return !this.isFull && this.bytes + fieldSize(size) <= MAX_BATCH_BYTES
  }

  /**
   * Whether a message of a connection with these settings would be asked about in just the same way. Connections of a
   * tenant may have been given different ones, and equal ones are not always the same object.
   */
  isFor (settings: TenantSettings): boolean {
    const own = this.settings
    return own === settings || (
      own.hookBaseUrl === settings.hookBaseUrl &&
      own.tenantSecret === settings.tenantSecret &&
      own.hookSignRequired === settings.hookSignRequired &&
      own.checkBatchMaxMessages === settings.checkBatchMaxMessages &&
      own.checkBatchMaxWaitMs === settings.checkBatchMaxWaitMs &&
      own.hookMaxConcurrency === settings.hookMaxConcurrency &&
      own.hookQueueTimeoutMs === settings.hookQueueTimeoutMs &&
      own.hookBreakerFailureThreshold === settings.hookBreakerFailureThreshold &&
      own.hookBreakerOpenMs === settings.hookBreakerOpenMs
    )
  }

  add (member: CheckMember): void {
    this.members.push(member)
    this.bytes += fieldSize(member.size)
    if (member.span !== undefined) this.isTraced = true
  }

  /** Takes out the members that asked up to `time`, by performance.now(). Undefined: there are none. */
  takeAskedUntil (time: number): CheckBatch | undefined {
    const { members } = this
    let count = 0
    while (count < members.length && members[count].askedAt <= time) count++
    if (count === 0) return undefined
    const taken = new CheckBatch(this.settings, members.splice(0, count))
    this.bytes -= taken.bytes
    return taken
  }

  /** The CheckMessagesRequest without `meta`. */
  encode (): Buffer {
    const out = Buffer.allocUnsafe(this.bytes)
    let pos = 0
    for (const { message, size } of this.members) {
      out[pos++] = MESSAGES
      pos = writeVarint(out, pos, size)
      pos = writeMessageRequest(out, pos, message)
    }
    // The buffer comes uninitialised: see server-frame.ts.
    if (pos !== out.length) throw new Error(`encoded ${pos} bytes where ${out.length} were counted`)
    return out
  }

  /** In whose trace the call is: the first member that is traced, so that the hook server can join it, or the first. */
  get lead (): CheckMember {
    const { members } = this
    return (this.isTraced ? members.find(({ span }) => span !== undefined) : undefined) ?? members[0]
  }

  /** Says it of every message that is traced. */
  note (attributes: SpanAttributes): void {
    if (!this.isTraced) return
    for (const { span } of this.members) span?.set(attributes)
  }

  /** @param verdicts one for each member */
  answer (verdicts: CheckVerdict[]): void {
    const { members } = this
    this.endSpans()
    for (let i = 0; i < members.length; i++) members[i].onVerdict({ ok: true, value: verdicts[i] })
  }

  /** None of its members gets an answer. */
  fail (failure: HookFailure): void {
    this.endSpans(failure)
    const result: HookResult<CheckVerdict> = { ok: false, failure }
    for (const { onVerdict } of this.members) onVerdict(result)
  }

  private endSpans (failure?: HookFailure): void {
    if (!this.isTraced) return
    for (const { span } of this.members) {
      if (failure !== undefined) span?.fail(failure.kind)
      span?.end()
    }
  }
}

function fieldSize (size: number): number {
  return 1 + varintSize(size) + size
}
