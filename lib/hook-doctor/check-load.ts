import { exchangeProblem } from './answer-problem.js'
import { verdictsOf } from './check-batches.js'
import type { Examination } from './examination.js'
import type { Problem } from './finding.js'
import type { Exchange } from './hook-probe.js'
import { millis, quantile } from './latencies.js'

/** Times that all calls are made at once: the first opens connections, the others find them open. */
const ROUNDS = 6

/** Calls of /check-messages that are full. */
const FULL_CALLS = 10

/** The most that are made at once, whatever the config asks for. */
const MAX_AT_ONCE = 256

/** A part of the budget within which 95 of 100 warm calls should be: the rest is for a bad day. */
const COMFORT = 1 / 3

/** What of an examination decides about times. */
type JudgedByTime = Pick<Examination, 'findings' | 'ownDelayMs'> & { options: Pick<Examination['options'], 'budgetMs'> }

export interface LoadFigures {
  calls: number
  atOnce: number
  connections: number
  /** Milliseconds, of calls over connections that were open already. */
  p50: number
  p95: number
  max: number
  /** Milliseconds of the slowest call that had to connect. */
  coldMax: number
}

/** As many calls at once as the gateway makes, some times over, and how long they took. */
export async function checkLoad (examination: Examination): Promise<LoadFigures | undefined> {
  const { findings, answering, settings, probe, latencies } = examination
  const operation = answering.has('check-messages')
    ? 'check-messages'
    : answering.has('check-message') && !settings.checkMessageDisabled ? 'check-message' : 'auth'
  if (!answering.has(operation)) {
    findings.skip('load', 'many calls at once', 'no hook answers good calls')
    return undefined
  }
  const atOnce = Math.min(settings.hookMaxConcurrency, MAX_AT_ONCE)
  const warm: number[] = []
  const cold: number[] = []
  const failed: Exchange[] = []
  const before = probe.connects
  for (let round = 0; round < ROUNDS; round++) {
    const exchanges = await Promise.all(Array.from({ length: atOnce }, async () =>
      await probe.call(examination.callOf(operation, examination.goodQuestion(operation)))))
    for (const exchange of exchanges) {
      if (await exchangeProblem(exchange) !== undefined) failed.push(exchange)
      else (round === 0 ? cold : warm).push(exchange.ms)
    }
    if (failed.length > 0) break
  }
  const connections = probe.connects - before
  const calls = warm.length + cold.length + failed.length
  const name = `${atOnce} calls of /${operation} at once`
  if (failed[0] !== undefined) {
    const problem = await exchangeProblem(failed[0])
    findings.fail('load', name, {
      seen: `${failed.length} of ${calls} failed: ${problem?.seen ?? ''}`,
      advice: 'the gateway makes as many calls at once (hook_max_concurrency): let the server take them, or give a smaller hook_max_concurrency in config',
    })
    return undefined
  }
  const figures: LoadFigures = {
    calls,
    atOnce,
    connections,
    p50: quantile(warm, 0.5),
    p95: quantile(warm, 0.95),
    max: quantile(warm, 1),
    coldMax: Math.max(...cold, ...latencies.samples.filter(({ isCold }) => isCold).map(({ ms }) => ms)),
  }
  checkConnections(examination, figures)
  judgeLoad(examination, name, figures)
  if (operation === 'check-messages') await checkFullCalls(examination)
  judgeEach(examination)
  judgeCold(examination, figures.coldMax)
  return figures
}

/** The time of calls at once. */
export function judgeLoad (examination: JudgedByTime, name: string, { p50, p95, max, calls }: LoadFigures): void {
  const { findings, options: { budgetMs } } = examination
  const seen = `p50 ${millis(p50)}, p95 ${millis(p95)}, max ${millis(max)} of ${calls} calls`
  if (max > budgetMs) {
    tooSlow(examination, name, max, {
      seen,
      advice: `the gateway gives up after ${budgetMs} ms: let the server answer from memory or a cache, give it more workers, or set a smaller hook_max_concurrency`,
    })
  } else if (p95 > budgetMs * COMFORT) {
    findings.warn('load', name, {
      seen,
      advice: `aim at a p95 of ${Math.round(budgetMs * COMFORT)} ms: what is left of the ${budgetMs} ms is soon used up by a pause or a slow network`,
    })
  } else {
    findings.pass('load', name, seen)
  }
}

/** Calls about as many messages as they may have, one call at a time. */
async function checkFullCalls (examination: Examination): Promise<void> {
  const { findings, probe, batchSize } = examination
  const name = `calls about ${batchSize} messages each`
  const times: number[] = []
  for (let call = 0; call < FULL_CALLS; call++) {
    const exchange = await probe.call(examination.callOf('check-messages', examination.messages(batchSize)))
    const { problem } = await verdictsOf(exchange, batchSize)
    if (problem !== undefined) return findings.fail('load', name, problem)
    times.push(exchange.ms)
  }
  judgeFullCalls(examination, name, times)
}

/** @param times milliseconds of each */
export function judgeFullCalls (examination: JudgedByTime, name: string, times: readonly number[]): void {
  const { findings, options: { budgetMs } } = examination
  const [p50, max] = [quantile(times, 0.5), quantile(times, 1)]
  const seen = `p50 ${millis(p50)}, max ${millis(max)} of ${times.length} calls`
  const advice = 'set a smaller check_batch_max_messages, check the messages of a call side by side, or look up what all of them need with one query'
  if (max > budgetMs) {
    tooSlow(examination, name, max, { seen, advice: `the gateway gives up after ${budgetMs} ms, and then no message of the call is checked: ${advice}` })
  } else if (p50 > budgetMs * COMFORT) {
    findings.warn('load', name, { seen, advice: `aim at ${Math.round(budgetMs * COMFORT)} ms: ${advice}` })
  } else {
    findings.pass('load', name, seen)
  }
}

/** Calls of the checks before, one at a time. */
function judgeEach (examination: Examination): void {
  const { findings, latencies, options: { budgetMs } } = examination
  const slow = latencies.samples.filter(({ ms, isAnswered, isCold }) => isAnswered && !isCold && ms > budgetMs)
  const { slowest } = latencies
  if (slow.length > 0) {
    const names = slow.map(({ operation, what, ms }) => `/${operation}${what === '' ? '' : ` (${what})`} ${millis(ms)}`)
    tooSlow(examination, 'one call at a time', Math.max(...slow.map(({ ms }) => ms)), {
      seen: names.slice(0, 5).join(', '), advice: `the gateway gives up after ${budgetMs} ms: see what these wait for`,
    })
  } else if (slowest !== undefined) {
    findings.pass('load', 'one call at a time', `the slowest of ${latencies.samples.length}: /${slowest.operation}, ${millis(slowest.ms)}`)
  }
}

function judgeCold (examination: Examination, coldMax: number): void {
  const { findings, options: { budgetMs } } = examination
  const name = 'calls that connect first'
  if (coldMax <= budgetMs) return findings.pass('load', name, `up to ${millis(coldMax)}`)
  tooSlow(examination, name, coldMax, {
    seen: `up to ${millis(coldMax)}; the gateway gives up after ${budgetMs} ms`,
    advice: 'see what a first call waits for: DNS, the way there, TLS, or a server that opens its database connections on the first call',
  })
}

/** A failure, unless this machine was too busy to know. */
function tooSlow (examination: JudgedByTime, name: string, ms: number, { seen, advice }: Problem): void {
  const { findings, options, ownDelayMs } = examination
  if (ms - ownDelayMs > options.budgetMs) return findings.fail('load', name, { seen, advice })
  findings.warn('load', name, {
    seen: `${seen}; this machine itself was held up for up to ${millis(ownDelayMs)}`,
    advice: `try it again on a machine that is less busy. If it stays so: ${advice}`,
  })
}

function checkConnections ({ findings }: Examination, { calls, connections, atOnce }: LoadFigures): void {
  const seen = `${connections} connections for ${calls} calls`
  if (connections > calls / 2) {
    findings.warn('load', 'keep-alive', {
      seen, advice: 'keep connections open (HTTP/1.1 keep-alive): now nearly each call connects first, with TLS, too, out of its 150 ms. See whether the server or a proxy answers with connection: close',
    })
  } else {
    findings.pass('load', 'keep-alive', `${seen}, ${atOnce} at once`)
  }
}
