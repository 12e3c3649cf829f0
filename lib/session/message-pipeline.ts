import { randomUUID } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import type { Dedup, Reservation, Reserved } from '../dedup/dedup.js'
import { AckStatus, MessageType } from '../gen/mics/message/v1/message_pb.js'
import type { CheckVerdict } from '../hooks/check-verdicts.js'
import type { GroupMembers } from '../hooks/group-members.js'
import type { HooksClient } from '../hooks/hooks-client.js'
import type { HookResult } from '../hooks/hook-failure.js'
import type { MessageTrace } from '../message-trace/message-trace.js'
import { note, noteAtOnce, recordOf } from '../message-trace/note.js'
import type { Histogram } from '../metrics/histogram.js'
import type { GatewayEvents } from '../mq/gateway-events.js'
import type { Message } from '../protocol/message.js'
import type { Ack } from '../protocol/server-frame.js'
import { AckReason } from '../protocol/server-errors.js'
import type { RateLimit } from '../rate-limit/rate-limit.js'
import { isSent, type DeliveryOutcome } from '../routing/dispatch.js'
import type { FanOut } from '../routing/fan-out.js'
import type { Router } from '../routing/router.js'
import type { Turn } from './conversation-turns.js'
import type { Session } from './session.js'

/** A hook's own reason may be this long in an ack. */
const MAX_REASON_LENGTH = 512

/** Reasons that say that something did not work, rather than that it was not to be. */
const FAULTS = new Set<string>([
  AckReason.CHECK_UNAVAILABLE, AckReason.MEMBERS_UNAVAILABLE, AckReason.DELIVERY_FAILED, AckReason.INTERNAL_ERROR,
])

const KNOWN_REASONS = new Set<string>(Object.values(AckReason))

/** What the hooks say of a message. */
type Verdict = { allowed: true, members?: GroupMembers } | { allowed: false, reason: string }

const ALLOWED: Verdict = { allowed: true }

/**
 * The way of a message: validate, limit, reserve its id, ask the check hook and the members hook side by side, deliver
 * in the conversation's order, ack, remember or release the id, and tell the tenant. Every message accepted gets
 * exactly one ack.
 */
export class MessagePipeline {
  constructor (private readonly deps: {
    hooks: Pick<HooksClient, 'checkMessage' | 'getGroupMembers'>
    rateLimit: RateLimit
    dedup: Dedup
    router: Router
    fanOut: FanOut
    events: Pick<GatewayEvents, 'message'>
    trace: Pick<MessageTrace, 'begin'>
    /** Seconds from when a message is taken up to its ack. */
    ackSeconds: Pick<Histogram, 'observe'>
    maxMessageBytes: number
    groupMembersMaxUsers: number
    log: FastifyBaseLogger
    now: () => number
  }) {}

  accept (session: Session, message: Message): void {
    const { tenantId, settings, metrics } = session
    message.receivedAt = performance.now()
    // A client speaks for itself only, whatever its frame says.
    message.tenantId = tenantId
    message.userId = session.userId
    message.deviceId = session.deviceId
    if (message.msgId === '') message.msgId = randomUUID()
    if (message.timestampMs === 0n) message.timestampMs = BigInt(this.deps.now())

    this.deps.trace.begin(message, 'client', session.traceId)
    if (session.trace !== undefined) message.span = session.trace.message(message)
    const problem = this.problemOf(message)
    noteAtOnce(message, 'validate', problem ?? 'ok')
    if (problem !== undefined) {
      metrics.messages.add('invalid')
      return this.fail(session, message, problem)
    }
    const isGroup = message.msgType === MessageType.GROUP_CHAT
    metrics.messages.add(isGroup ? 'group' : 'single')

    const turn = session.turns.enter(isGroup ? `g${message.groupId}` : `u${message.toUserId}`)
    const allowed = this.deps.rateLimit.take(tenantId, settings.tenantMaxMessageQps)
    if (typeof allowed === 'boolean') {
      noteAtOnce(message, 'rate_limit', allowed ? 'ok' : 'limited')
      return this.limit(session, message, turn, allowed)
    }
    allowed.then(yes => {
      note(message, 'rate_limit', yes ? 'ok' : 'limited')
      this.limit(session, message, turn, yes)
    }).catch(error => this.abandon(session, message, turn, error))
  }

  private limit (session: Session, message: Message, turn: Turn, isAllowed: boolean): void {
    if (!isAllowed) {
      turn.skip()
      session.metrics.rateLimited.add('message_qps')
      return this.fail(session, message, AckReason.QPS_LIMITED)
    }
    const reservation = this.deps.dedup.reserve(message)
    if (!(reservation instanceof Promise)) {
      noteAtOnce(message, 'dedup', reservation.kind)
      return this.identify(session, message, turn, reservation)
    }
    reservation.then(found => {
      note(message, 'dedup', found.kind)
      this.identify(session, message, turn, found)
    }).catch(error => this.abandon(session, message, turn, error))
  }

  private identify (session: Session, message: Message, turn: Turn, reservation: Reservation): void {
    if (reservation.kind === 'first') return this.process(session, message, turn, reservation.reserved)
    turn.skip()
    this.answerRepeat(session, message, reservation)
  }

  /** Before anything was reserved. */
  private abandon (session: Session, message: Message, turn: Turn, error: unknown): void {
    turn.skip()
    this.failUnexpectedly(session, message, error)
  }

  private problemOf (message: Message): string | undefined {
    switch (message.msgType) {
      case MessageType.SINGLE_CHAT:
        if (message.toUserId === '') return AckReason.MISSING_TO_USER_ID
        break
      case MessageType.GROUP_CHAT:
        if (message.groupId === '') return AckReason.MISSING_GROUP_ID
        break
      default:
        return AckReason.INVALID_MSG_TYPE
    }
    return message.msgBody.length > this.deps.maxMessageBytes ? AckReason.BODY_TOO_LARGE : undefined
  }

  private answerRepeat (
    session: Session, message: Message, reservation: Exclude<Reservation, { kind: 'first' }>
  ): void {
    session.metrics.dedupHits.add(reservation.kind)
    switch (reservation.kind) {
      case 'duplicate':
        return this.sent(session, message, AckReason.DUPLICATE)
      case 'conflict':
        return this.fail(session, message, AckReason.MSG_ID_CONFLICT)
      case 'in_flight':
        reservation.outcome.then(({ sent, reason }) => {
          if (sent) this.sent(session, message, AckReason.DUPLICATE)
          else this.fail(session, message, reason)
        }).catch(error => this.failUnexpectedly(session, message, error))
    }
  }

  private process (session: Session, message: Message, turn: Turn, reserved: Reserved): void {
    const isGroup = message.msgType === MessageType.GROUP_CHAT
    if (session.settings.checkMessageDisabled) noteAtOnce(message, 'check_hook', 'off')
    if (!isGroup && session.settings.checkMessageDisabled) {
      return this.queue(session, message, turn, reserved, ALLOWED)
    }
    this.ask(session, message, isGroup).then(verdict => {
      this.queue(session, message, turn, reserved, verdict)
    }, error => {
      turn.skip()
      this.deps.dedup.release(reserved, AckReason.INTERNAL_ERROR)
      this.failUnexpectedly(session, message, error)
    }).catch(err => this.deps.log.error(
      { err, tenantId: session.tenantId, traceId: session.traceId, msgId: message.msgId }, 'ack failed'))
  }

  /** Delivers it when its turn has come. */
  private queue (session: Session, message: Message, turn: Turn, reserved: Reserved, verdict: Verdict): void {
    let isWaiting = false
    turn.take(() => {
      if (isWaiting) note(message, 'turn', 'waited')
      else noteAtOnce(message, 'turn', 'at once')
      return this.deliver(session, message, reserved, verdict)
    })
    isWaiting = true
  }

  /** Asks the hooks, both at once. */
  private async ask (session: Session, message: Message, isGroup: boolean): Promise<Verdict> {
    const { hooks } = this.deps
    const { settings, tenantId, traceId } = session
    const [check, members] = await Promise.all([
      settings.checkMessageDisabled
        ? undefined
        : hooks.checkMessage(settings, message, traceId).then(result => noteCheck(message, result)),
      isGroup
        ? hooks.getGroupMembers(settings, message, traceId).then(result => noteMembers(message, result))
        : undefined,
    ])
    if (check?.ok === true && !check.value.allow) {
      return { allowed: false, reason: check.value.reason.slice(0, MAX_REASON_LENGTH) || AckReason.REJECTED }
    }
    if (check?.ok === false) {
      // A call that could not be signed is refused even where failures are let pass: see the protocol, "Signing".
      if (settings.checkMessageFailClosed || check.failure.kind === 'unsigned') {
        return { allowed: false, reason: AckReason.CHECK_UNAVAILABLE }
      }
      session.metrics.checkDegraded++
    }
    if (members === undefined) return ALLOWED
    if (!members.ok) return { allowed: false, reason: AckReason.MEMBERS_UNAVAILABLE }
    if (members.value.count === 0) return { allowed: false, reason: AckReason.MEMBERS_EMPTY }
    if (members.value.count > this.deps.groupMembersMaxUsers) {
      return { allowed: false, reason: AckReason.GROUP_TOO_LARGE }
    }
    if (!this.deps.fanOut.reserve(tenantId, members.value.byteLength)) {
      return { allowed: false, reason: AckReason.MEMBERS_UNAVAILABLE }
    }
    return { allowed: true, members: members.value }
  }

  /** The message's turn has come. Resolves or returns when it is delivered and answered; never fails. */
  private deliver (session: Session, message: Message, reserved: Reserved, verdict: Verdict): void | Promise<void> {
    const { router, dedup } = this.deps
    const failed = (error: unknown): void => {
      dedup.release(reserved, AckReason.INTERNAL_ERROR)
      this.failUnexpectedly(session, message, error)
    }
    if (!verdict.allowed) {
      dedup.release(reserved, verdict.reason)
      return this.fail(session, message, verdict.reason)
    }
    try {
      if (verdict.members === undefined) {
        const outcome = router.toUser(session, message)
        if (!(outcome instanceof Promise)) return this.conclude(session, message, reserved, outcome)
        return outcome.then(users => this.conclude(session, message, reserved, users)).catch(failed)
      }
      const { byteLength } = verdict.members
      return router.toGroup(session, message, verdict.members)
        .finally(() => this.deps.fanOut.release(session.tenantId, byteLength))
        .then(outcome => this.conclude(session, message, reserved, outcome))
        .catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  private conclude (session: Session, message: Message, reserved: Reserved, outcome: DeliveryOutcome): void {
    recordOf(message)?.conclude(outcome)
    this.answer(session, message, reserved, outcome)
    // Of a message that reached nobody too: it passed the check, and the tenant may know another way.
    if (isAttempted(outcome)) this.deps.events.message(session, message)
    // It may be kept for long, its span need not.
    message.span = undefined
  }

  private answer (session: Session, message: Message, reserved: Reserved, outcome: DeliveryOutcome): void {
    const { dedup } = this.deps
    if (isSent(outcome)) {
      dedup.commit(reserved)
      return this.sent(session, message, '', outcome)
    }
    // A group whose only member is the sender has nobody to deliver to.
    const reason = outcome.skipped > 0 ? AckReason.DELIVERY_FAILED : AckReason.MEMBERS_EMPTY
    dedup.release(reserved, reason)
    this.fail(session, message, reason, outcome)
  }

  private sent (session: Session, message: Message, reason: string, outcome?: DeliveryOutcome): void {
    session.metrics.acks.add(reason === AckReason.DUPLICATE ? 'duplicate' : 'sent')
    noteAck(session, message, 'SENT', reason)
    message.span?.end('SENT', reason, false, outcome)
    this.acknowledge(session, message, this.ack(message, AckStatus.SENT, reason, outcome))
  }

  private fail (session: Session, message: Message, reason: string, outcome?: DeliveryOutcome): void {
    session.metrics.acks.add('failed')
    const knownReason = KNOWN_REASONS.has(reason) ? reason : 'check hook'
    session.metrics.ackFailures.add(knownReason)
    noteAck(session, message, 'FAILED', reason)
    message.span?.end('FAILED', knownReason, FAULTS.has(reason), outcome)
    this.acknowledge(session, message, this.ack(message, AckStatus.FAILED, reason, outcome))
  }

  private acknowledge (session: Session, message: Message, ack: Ack): void {
    const now = performance.now()
    this.deps.ackSeconds.observe((now - (message.receivedAt ?? now)) / 1000)
    session.acknowledge(ack)
  }

  private failUnexpectedly (session: Session, message: Message, error: unknown): void {
    this.deps.log.error({ err: error, tenantId: session.tenantId, traceId: session.traceId, msgId: message.msgId },
      'message failed unexpectedly')
    this.fail(session, message, AckReason.INTERNAL_ERROR)
    message.span = undefined
  }

  private ack (message: Message, status: AckStatus, reason: string, outcome?: DeliveryOutcome): Ack {
    return {
      msgId: message.msgId,
      status,
      timestampMs: this.deps.now(),
      reason,
      partialDelivery: status === AckStatus.SENT && outcome !== undefined && outcome.skipped > 0,
      offlineNotifiedUsers: outcome?.notified ?? 0,
      offlineBufferedUsers: outcome?.buffered ?? 0,
      offlineSkippedUsers: outcome?.skipped ?? 0,
    }
  }
}

/** A group whose only member is the sender has nobody to deliver to. */
function isAttempted (outcome: DeliveryOutcome): boolean {
  return isSent(outcome) || outcome.skipped > 0
}

function noteCheck (message: Message, result: HookResult<CheckVerdict>): HookResult<CheckVerdict> {
  if (!result.ok) note(message, 'check_hook', 'no answer', result.failure.kind)
  else if (result.value.allow) note(message, 'check_hook', 'allowed')
  else note(message, 'check_hook', 'refused', result.value.reason)
  return result
}

function noteMembers (message: Message, result: HookResult<GroupMembers>): HookResult<GroupMembers> {
  if (result.ok) note(message, 'members_hook', 'answered', '', result.value.count)
  else note(message, 'members_hook', 'no answer', result.failure.kind)
  return result
}

function noteAck (session: Session, message: Message, status: 'SENT' | 'FAILED', reason: string): void {
  note(message, 'ack', status, session.isClosed ? `${reason}${reason === '' ? '' : '; '}the sender had gone` : reason)
}
