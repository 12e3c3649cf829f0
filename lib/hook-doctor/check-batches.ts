import { decodeVerdicts, type CheckVerdict } from '../hooks/check-verdicts.js'
import { decodeExchange } from './answer-problem.js'
import { UNICODE_ID } from './check-auth.js'
import { MAX_REASON_LENGTH } from './check-messages.js'
import type { Examination } from './examination.js'
import type { Problem } from './finding.js'
import type { Exchange } from './hook-probe.js'
import { millis } from './latencies.js'

/** Bytes of the bodies of a full call: with what is around 256 of them it stays below the 1 MiB of the gateway. */
const FULL_CALL_BYTES = 960 * 1024

const IN_ORDER = 'answer with one verdict for each message, in the order of the request: with another number the whole call has failed'

/** A message, and what the server says of it when it is asked about it alone. */
interface Asked {
  question: Uint8Array
  isAllowed: boolean
}

/** /check-messages as the gateway calls it: about one message, about different ones, and about as many as fit. */
export async function checkBatches (examination: Examination): Promise<void> {
  const { findings, options, settings, batchSize } = examination
  if (batchSize < 2) {
    if (!examination.wants('check-messages')) return
    if (settings.checkMessageDisabled) return findings.skip('check-messages', 'many messages', 'check_message_disabled is set: the gateway does not ask')
    return await checkUnused(examination)
  }
  const first = await askAlone(examination, 'one message', examination.message())
  if (first === undefined) return findings.skip('check-messages', 'several messages', 'one was not answered')
  examination.answering.set('check-messages', first.isAllowed ? 'yes' : 'no')
  const asked = [first]
  for (const [name, question] of [
    ...options.groupId === undefined ? [] : [['a group message', examination.message({ groupId: options.groupId })] as const],
    ['ids beyond ASCII', examination.message({ deviceId: UNICODE_ID, groupId: UNICODE_ID })] as const,
    ['an unknown group', examination.message({ groupId: examination.unknownGroup })] as const,
  ]) {
    const next = await askAlone(examination, name, question)
    if (next !== undefined) asked.push(next)
  }
  if (await checkOrder(examination, asked)) await checkFull(examination)
}

/** The gateway does not ask, so whatever is found here is no mistake. */
async function checkUnused (examination: Examination): Promise<void> {
  const { findings, probe } = examination
  const exchange = await probe.call(examination.callOf('check-messages', examination.message()))
  const name = 'several messages with one call'
  const unused = 'not needed: check_batch_max_messages is not set'
  if (exchange.answer?.status === 404) return findings.skip('check-messages', name, `not served, and ${unused}`)
  const { problem } = await verdictsOf(exchange, 1)
  if (problem !== undefined) return findings.skip('check-messages', name, `${problem.seen}; ${unused}`)
  findings.pass('check-messages', name, 'served; check_batch_max_messages in config switches it on, and --batch looks at it closely')
}

/** Whether the message may go out; undefined: no answer that can be used. */
async function askAlone (examination: Examination, name: string, question: Uint8Array): Promise<Asked | undefined> {
  const { findings } = examination
  const exchange = await examination.ask('check-messages', question, name)
  const { value, problem } = await verdictsOf(exchange, 1)
  if (problem !== undefined) {
    findings.fail('check-messages', name, problem)
    return undefined
  }
  const [{ allow, reason }] = value
  if (reason.length > MAX_REASON_LENGTH) {
    findings.warn('check-messages', name, {
      seen: `the reason has ${reason.length} characters`, advice: `the sender sees the first ${MAX_REASON_LENGTH}: keep it short`,
    })
  } else {
    findings.pass('check-messages', name, `${allow ? 'allowed' : `refused${reason === '' ? '' : `: ${reason}`}`} (${millis(exchange.ms)})`)
  }
  return { question, isAllowed: allow }
}

/** All of them together, and the other way round: each must get the verdict that it gets alone. */
async function checkOrder (examination: Examination, all: Asked[]): Promise<boolean> {
  const { findings, batchSize } = examination
  const asked = mixed(all, batchSize)
  for (const order of [asked, [...asked].reverse()]) {
    const name = order === asked ? 'different messages' : 'the same, the other way round'
    const exchange = await examination.ask('check-messages', Buffer.concat(order.map(({ question }) => question)), name)
    const { value, problem } = await verdictsOf(exchange, order.length)
    if (problem !== undefined) {
      findings.fail('check-messages', name, problem)
      return false
    }
    const [alone, together] = [order.map(({ isAllowed }) => isAllowed), value.map(({ allow }) => allow)].map(wordsOf)
    if (alone !== together) {
      findings.fail('check-messages', name, {
        seen: `alone they got ${alone}, and together ${together}`,
        advice: `${IN_ORDER}, each the one that the message gets alone: now a message goes out on the verdict of another`,
      })
      return false
    }
    const isMixed = new Set(order.map(({ isAllowed }) => isAllowed)).size > 1
    findings.pass('check-messages', name, `${together} (${millis(exchange.ms)})` +
      (isMixed ? '' : '; whether the order is kept cannot be told from them: give a --to or a --group to whom the token\'s user may not write'))
  }
  return true
}

/** As many as fit into a call, with both verdicts among them where there are both. */
function mixed (asked: Asked[], max: number): Asked[] {
  const other = asked.findIndex(({ isAllowed }) => isAllowed !== asked[0].isAllowed)
  if (other < max) return asked.slice(0, max)
  return [...asked.slice(0, max - 1), asked[other]]
}

async function checkFull (examination: Examination): Promise<void> {
  const { findings, batchSize } = examination
  const name = `${batchSize} messages, 1 MiB together`
  const body = Buffer.alloc(Math.floor(FULL_CALL_BYTES / batchSize), 'x')
  const exchange = await examination.ask('check-messages', examination.messages(batchSize, body), name)
  const { value, problem } = await verdictsOf(exchange, batchSize)
  if (problem !== undefined) return findings.fail('check-messages', name, problem)
  const allowed = value.filter(({ allow }) => allow).length
  findings.pass('check-messages', name, `${allowed} allowed, ${batchSize - allowed} refused (${millis(exchange.ms)})`)
}

/** As many verdicts as messages, or why there are not. */
export async function verdictsOf (
  exchange: Exchange, count: number
): Promise<{ value: CheckVerdict[], problem?: undefined } | { value?: undefined, problem: Problem }> {
  const { value, problem } = await decodeExchange(exchange, 'CheckMessagesResponse', body => decodeVerdicts(body, count))
  if (problem !== undefined) return { problem: exchange.answer?.status === 404 ? notServed(problem) : problem }
  if (value.length === count) return { value }
  const found = value.length > count ? `more than ${count}` : value.length
  return {
    problem: {
      seen: `${found} ${found === 1 ? 'verdict' : 'verdicts'} for ${count} ${count === 1 ? 'message' : 'messages'}${exchange.answer?.body.length === 0 ? ': the body is empty' : ''}`,
      advice: IN_ORDER,
    },
  }
}

function notServed ({ seen }: Problem): Problem {
  return {
    seen,
    advice: 'serve /check-messages there, or take check_batch_max_messages out of config: as long as it is set the gateway asks nothing else, and no message is checked',
  }
}

function wordsOf (verdicts: boolean[]): string {
  return verdicts.map(isAllowed => isAllowed ? 'yes' : 'no').join(', ')
}
