import { exchangeProblem } from './answer-problem.js'
import type { Examination } from './examination.js'
import { millis } from './latencies.js'

/** Statuses that say that nothing serves the path, and not what is wrong with the call. */
const NOTHING_THERE = new Set([404, 405, 502, 503, 504])

/** Makes the first call. False: there is no server to examine. */
export async function checkReach (examination: Examination): Promise<boolean> {
  const { findings, options } = examination
  const exchange = await examination.ask('auth', examination.goodQuestion('auth'))
  const { answer, ms, url } = exchange
  const problem = await exchangeProblem(exchange)
  // 2xx with a page or JSON, a redirect, or nothing: no hook of ours is there.
  const isElsewhere = answer === undefined || answer.status < 400 || NOTHING_THERE.has(answer.status)
  if (problem !== undefined && isElsewhere) {
    findings.fail('reach', 'the server', problem)
    return false
  }
  examination.firstAuth = exchange
  findings.pass('reach', 'the server', `${url} answers (${millis(ms)}, connecting included)`)
  if (new URL(url).protocol === 'http:' && isPublic(new URL(options.url).hostname)) {
    findings.warn('reach', 'https', {
      seen: 'tokens and messages go there in plain text', advice: 'serve hooks by https:// where the way leaves your own network',
    })
  }
  return true
}

/** A host name of the internet, and not one of a cluster or an office. */
function isPublic (hostname: string): boolean {
  return /[a-z]/i.test(hostname) && !hostname.startsWith('[') && /\.[a-z]{2,}$/i.test(hostname) &&
    !/\.(local|internal|lan|home|corp|test|example|localhost|svc|cluster)$/i.test(hostname)
}
