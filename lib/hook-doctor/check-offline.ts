import { HookFailure } from '../hooks/hook-failure.js'
import { decodeOfflinePage, type OfflinePage } from '../hooks/offline-page.js'
import { ThrottledLog } from '../log/throttled-log.js'
import { TenantMetrics } from '../metrics/tenant-metrics.js'
import { FRAME_OVERHEAD_BYTES } from '../protocol/limits.js'
import { PAGE_SIZE, PULL_PROBLEMS, pullOfflineMessages, type PullProblem } from '../session/offline-pull.js'
import { TenantBytes } from '../tenants/tenant-bytes.js'
import { decodeExchange } from './answer-problem.js'
import type { Examination } from './examination.js'
import type { Problem } from './finding.js'
import { offlineQuestion } from './hook-questions.js'
import { millis } from './latencies.js'

/** MAX_MESSAGE_BYTES as it is by default, and what a frame has around it. */
const MAX_FRAME_BYTES = 1024 * 1024 + FRAME_OVERHEAD_BYTES

/** What a pull may come to without being a mistake: whoever was away for long has much. */
const HARMLESS = new Set<PullProblem>(['more_left'])

/** Of these the messages are lost to the user, or to the pages behind. */
const LOSING = new Set<PullProblem>([
  'not_ok', 'no_cursor', 'repeated_cursor', 'long_cursor', 'other_user', 'too_large', 'too_many_messages',
])

interface Pulled {
  pages: OfflinePage[]
  /** The msg_ids of the first page, as they came: what has none is given one. */
  firstIds: string[]
  /** Those that the gateway would deliver. */
  messages: number
  /** Why the last page could not be had. */
  problem?: Problem
  /** Of the slowest page. */
  ms: number
}

/** Pulls what a connecting device would, with the gateway's own code, and tells what that has to say. */
export async function checkOffline (examination: Examination): Promise<void> {
  const { findings, settings, options } = examination
  if (!settings.offlineUseHookPull && options.userId === undefined) {
    return findings.skip('get-offline-messages', 'a pull', 'the config does not set offline_use_hook_pull, so the gateway does not ask; --user asks all the same')
  }
  const user = examination.pulledUser
  const { pages, firstIds, messages, problem, ms } = await pull(examination)
  const name = `what is kept for ${user}`
  if (problem !== undefined) return findings.fail('get-offline-messages', name, problem)
  const first = pages[0]
  examination.answering.set('get-offline-messages', first?.ok ? 'yes' : 'no')
  if (first?.byteLength === 0) {
    return findings.fail('get-offline-messages', name, {
      seen: 'HTTP status 200 with an empty body',
      advice: 'an empty body is a valid GetOfflineMessagesResponse that says no. Answer with ok set, also where there are no messages',
    })
  }
  if (first?.ok === false && first.messages.length === 0) {
    return findings.warn('get-offline-messages', name, { seen: 'not ok', advice: 'set ok, field 2, also where there are no messages' })
  }
  findings.pass('get-offline-messages', name,
    `${messages} ${messages === 1 ? 'message' : 'messages'} in ${pages.length} ${pages.length === 1 ? 'page' : 'pages'} (${millis(ms)})` +
    (messages === 0 ? '; give --user somebody who has some' : ''))
  if (first === undefined || first.messages.length === 0) return
  await checkAgain(examination, firstIds)
  if (first.messages.length > 1) await checkPageSize(examination)
}

async function pull (examination: Examination): Promise<Pulled> {
  const { findings, options, settings } = examination
  const pages: OfflinePage[] = []
  const firstIds: string[] = []
  let failed: Problem | undefined
  let ms = 0
  const told = (fields: object): void => {
    const { problem } = fields as { problem: PullProblem }
    const result = HARMLESS.has(problem) ? 'pass' : LOSING.has(problem) ? 'fail' : 'warn'
    const [seen, advice = ''] = PULL_PROBLEMS[problem].split(/: (.*)/s)
    findings.add('get-offline-messages', problem, result, { seen, advice })
  }
  const pulled = pullOfflineMessages({
    hooks: {
      timeoutMs: options.timeoutMs,
      getOfflineMessages: async (_settings, _tenantId, page) => {
        const exchange = await examination.ask('get-offline-messages', offlineQuestion(page), `page ${pages.length + 1}`)
        ms = Math.max(ms, exchange.ms)
        const { value, problem } = await decodeExchange(exchange, 'GetOfflineMessagesResponse',
          body => decodeOfflinePage(body, page.maxMessages))
        if (problem !== undefined) {
          failed = problem
          return { ok: false, failure: new HookFailure('undecodable', problem.seen) }
        }
        if (pages.push(value) === 1) firstIds.push(...value.messages.map(({ msgId }) => msgId))
        return { ok: true, value }
      },
    },
    pulledBytes: new TenantBytes(Infinity),
    maxFrameBytes: MAX_FRAME_BYTES,
    // Each kind of problem once.
    throttledLog: new ThrottledLog(Infinity),
    log: { info: told, warn: told },
  }, settings, {
    tenantId: options.tenantId,
    userId: examination.pulledUser,
    deviceId: options.deviceId,
    traceId: '',
    metrics: new TenantMetrics(),
  })
  let messages = 0
  for await (const page of pulled) messages += page.length
  return { pages, firstIds, messages, problem: failed, ms }
}

/** What was returned is still there: a client that lost its connection pulls it again. */
async function checkAgain (examination: Examination, firstIds: readonly string[]): Promise<void> {
  const { findings } = examination
  const again = await onePage(examination, PAGE_SIZE, 'the first page again')
  if (again === undefined) return
  const ids = new Set(again.messages.map(({ msgId }) => msgId))
  const gone = firstIds.filter(msgId => msgId !== '' && !ids.has(msgId)).length
  if (gone === 0) return findings.pass('get-offline-messages', 'the first page again', 'the same messages')
  findings.warn('get-offline-messages', 'the first page again', {
    seen: `${gone} of ${firstIds.length} messages are no longer there`,
    advice: 'delete a message when the user\'s app confirms it, and not when it is returned: a connection may break meanwhile, and the message is lost',
  })
}

async function checkPageSize (examination: Examination): Promise<void> {
  const { findings } = examination
  const page = await onePage(examination, 1, 'a page of one message')
  if (page === undefined) return
  if (!page.isCut) return findings.pass('get-offline-messages', 'max_messages', 'a page of one message when asked for one')
  findings.warn('get-offline-messages', 'max_messages', {
    seen: 'more messages than asked for', advice: 'return at most max_messages, and the rest with next_cursor: those beyond are passed over',
  })
}

async function onePage (examination: Examination, maxMessages: number, what: string): Promise<OfflinePage | undefined> {
  const { findings, options } = examination
  const question = offlineQuestion({ userId: examination.pulledUser, deviceId: options.deviceId, maxMessages, cursor: '' })
  const exchange = await examination.ask('get-offline-messages', question, what)
  const { value, problem } = await decodeExchange(exchange, 'GetOfflineMessagesResponse',
    body => decodeOfflinePage(body, maxMessages))
  if (problem !== undefined) findings.fail('get-offline-messages', what, problem)
  return value
}
