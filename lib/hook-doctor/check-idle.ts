import type { Examination } from './examination.js'
import type { IdleOutcome } from './idle-watch.js'
import { millis } from './latencies.js'

/** Seconds for which idle connections are to be kept open, by docs/protocol.md. */
const KEEP_SECONDS = 5

/** The part of an announced time by which the gateway's HTTP client is ahead, in seconds. */
const AHEAD_SECONDS = 2

export function judgeIdle ({ findings }: Examination, outcome: IdleOutcome | undefined): void {
  const name = 'idle connections'
  if (outcome === undefined) return findings.skip('load', name, 'the call that should open one failed')
  const { announcedSeconds, closedAfterMs, closesEach } = outcome
  const advice = `keep them open for at least ${KEEP_SECONDS} s (in Node.js: server.keepAliveTimeout), and longer than a proxy in front does`
  if (closesEach) {
    findings.warn('load', name, { seen: 'each is closed with its answer', advice })
  } else if (announcedSeconds !== undefined && announcedSeconds < KEEP_SECONDS) {
    const effect = announcedSeconds <= AHEAD_SECONDS
      ? 'so short that the gateway opens a new one for each call'
      : 'so the gateway often connects anew'
    findings.warn('load', name, { seen: `the server announces to keep them for ${announcedSeconds} s: ${effect}`, advice })
  } else if (closedAfterMs !== undefined) {
    findings.warn('load', name, {
      seen: `closed after ${millis(closedAfterMs)}, unannounced`,
      advice: `${advice}: when the server closes one just as the gateway sends a call over it, that call fails`,
    })
  } else {
    findings.pass('load', name, announcedSeconds === undefined ? 'kept open' : `kept for ${announcedSeconds} s, as announced`)
  }
}
