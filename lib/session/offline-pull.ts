import { randomUUID } from 'node:crypto'
import type { TenantSettings } from '../config/gateway-config.js'
import { MessageType } from '../gen/mics/message/v1/message_pb.js'
import type { HooksClient } from '../hooks/hooks-client.js'
import type { OfflinePage } from '../hooks/offline-page.js'
import type { LogLine, ThrottledLog } from '../log/throttled-log.js'
import type { TenantMetrics } from '../metrics/tenant-metrics.js'
import type { Message } from '../protocol/message.js'
import { messageSize } from '../protocol/server-frame.js'
import type { TenantBytes } from '../tenants/tenant-bytes.js'
import type { SpanParent } from '../tracing/span.js'

export const PAGE_SIZE = 100
const MAX_PAGES = 10

/** Characters of a cursor: it is sent back, and remembered for as long as the pull takes. */
const MAX_CURSOR_LENGTH = 8192

/** What keeps a pull from going as it should, and what to do about it. The names are metric label values too. */
export const PULL_PROBLEMS = {
  not_ok: 'the answer has messages but not ok: set ok, or nothing is delivered',
  too_many_messages: 'a page has more messages than max_messages: those beyond are passed over, return them with the next cursor',
  no_cursor: 'has_more is set without a next_cursor: what is behind is not asked for',
  repeated_cursor: 'next_cursor is one that was asked for before: what is behind it is not asked for again',
  long_cursor: `next_cursor has more than ${MAX_CURSOR_LENGTH} characters: what is behind is not asked for`,
  other_tenant: 'a message has the tenant_id of another tenant: it is delivered with the right one, see whether it is meant',
  other_user: 'a single chat message is neither to nor from the user who was asked for: it is not delivered',
  no_sender: 'a message has no user_id, its sender: clients do not know whom it is from',
  no_msg_id: 'a message has no msg_id: it gets a new one each time, and clients cannot tell that it is a repeat',
  too_large: 'a message is larger than a client may send (MAX_MESSAGE_BYTES): it is not delivered',
  more_left: 'there is more than one connection pulls: the rest comes with the next one, if what was delivered is no longer returned',
  no_room: 'too much that was pulled waits for slow readers: the rest comes with the next connection',
}

export type PullProblem = keyof typeof PULL_PROBLEMS

export interface OfflinePullDeps {
  hooks: Pick<HooksClient, 'getOfflineMessages' | 'timeoutMs'>
  /** Room for the pages that are here, waiting for slow readers. */
  pulledBytes: TenantBytes
  /** Bytes of the largest frame that a client may send, and so of the largest message. */
  maxFrameBytes: number
  throttledLog: ThrottledLog
  log: Record<'info' | 'warn', LogLine>
}

/** The device that messages are pulled for. */
export interface Puller {
  readonly tenantId: string
  readonly userId: string
  readonly deviceId: string
  readonly traceId: string
  /** Where its connection is traced. */
  readonly trace?: SpanParent
  readonly metrics: TenantMetrics
}

/**
 * What the tenant kept for a user, page by page, in its order; the next page is asked for when the former is done with.
 * Ends early, without an error, when a call fails or says no, or when its answer leads no further.
 */
export async function * pullOfflineMessages (
  deps: OfflinePullDeps, settings: TenantSettings, puller: Puller
): AsyncGenerator<Message[], void, undefined> {
  const { hooks, pulledBytes } = deps
  const { tenantId, userId, deviceId, traceId, trace } = puller
  const report = (problem: PullProblem): void => reportProblem(deps, puller, problem)
  const cursors = new Set<string>()
  for (let cursor = ''; ;) {
    cursors.add(cursor)
    const result = await hooks.getOfflineMessages(settings, tenantId,
      { userId, deviceId, maxMessages: PAGE_SIZE, cursor }, traceId, trace)
    if (!result.ok) return
    const page = result.value
    if (!page.ok) {
      if (page.messages.length > 0) report('not_ok')
      return
    }
    if (!pulledBytes.reserve(tenantId, page.byteLength)) return report('no_room')
    try {
      if (page.isCut) report('too_many_messages')
      yield page.messages.filter(message => isDeliverable(message, puller, deps.maxFrameBytes, report))
    } finally {
      pulledBytes.release(tenantId, page.byteLength)
    }
    if (!page.hasMore) return
    const problem = problemOfNext(page, cursors)
    if (problem !== undefined) return report(problem)
    cursor = page.nextCursor
  }
}

/** Why there is no next page, where there should be one. */
function problemOfNext ({ nextCursor }: OfflinePage, cursors: ReadonlySet<string>): PullProblem | undefined {
  if (nextCursor === '') return 'no_cursor'
  if (cursors.has(nextCursor)) return 'repeated_cursor'
  if (nextCursor.length > MAX_CURSOR_LENGTH) return 'long_cursor'
  if (cursors.size === MAX_PAGES) return 'more_left'
}

/** Whether the message may go to this device; what is missing or wrong in it is mended where that is possible. */
function isDeliverable (
  message: Message, { tenantId, userId }: Puller, maxBytes: number, report: (problem: PullProblem) => void
): boolean {
  const isBetweenOthers = message.toUserId !== '' && message.toUserId !== userId && message.userId !== userId
  if (message.msgType === MessageType.SINGLE_CHAT && isBetweenOthers) {
    report('other_user')
    return false
  }
  if (message.tenantId !== tenantId) {
    if (message.tenantId !== '') report('other_tenant')
    message.tenantId = tenantId
  }
  if (message.userId === '') report('no_sender')
  if (message.msgId === '') {
    report('no_msg_id')
    message.msgId = randomUUID()
  }
  const isTooLarge = messageSize(message) > maxBytes
  if (isTooLarge) report('too_large')
  return !isTooLarge
}

function reportProblem ({ throttledLog, log }: OfflinePullDeps, puller: Puller, problem: PullProblem): void {
  const { tenantId, userId, deviceId, traceId, metrics } = puller
  metrics.pullProblems.add(problem)
  // Whoever was away for long has much to pull: nothing is wrong with that.
  const line = problem === 'more_left' ? log.info.bind(log) : log.warn.bind(log)
  throttledLog.log(`pull ${tenantId} ${problem}`, line,
    { tenantId, userId, deviceId, traceId, problem, explanation: PULL_PROBLEMS[problem] }, 'pulling offline messages: a problem')
}
