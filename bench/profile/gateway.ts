/**
 * A gateway that can be profiled: configured by the environment, prints its URL as its first line. `start` and `stop`
 * come as messages; the answer to `stop` is the profile, with the places in the sources.
 */
import { findSourceMap } from 'node:module'
import { Session, type Profiler, type Runtime } from 'node:inspector/promises'
import { loadConfig } from '../../lib/config/load-config.js'
import { startServer } from '../../server.js'

/** Five samples a millisecond: functions that take a few microseconds show within a second. */
const INTERVAL_US = 200

const HOOK_TIMEOUT_MS = 5000

const session = new Session()
session.connect()

async function start (): Promise<void> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
  await session.post('Profiler.start')
}

async function stop (): Promise<Profiler.Profile> {
  const { profile } = await session.post('Profiler.stop')
  for (const { callFrame } of profile.nodes) toSource(callFrame)
  return profile
}

/** V8 counts lines of what it runs, from 0; the reader has the sources. */
function toSource (frame: Runtime.CallFrame): void {
  const entry = findSourceMap(frame.url)?.findEntry(frame.lineNumber, frame.columnNumber)
  if (entry === undefined || !('originalLine' in entry)) return
  frame.lineNumber = entry.originalLine
  frame.columnNumber = entry.originalColumn
}

process.on('message', question => {
  const answer = question === 'start' ? start() : stop()
  answer.then(value => process.send?.(value ?? 'started'), error => {
    console.error('profiling failed:', error)
    process.exit(1)
  })
})

const { url, app } = await startServer({ config: loadConfig(process.env), embedded: false, handleSignals: false })
// On a busy machine hooks answer late, and what is to be seen is the way of a message, not that of a failure.
app.hooksClient.timeoutMs = HOOK_TIMEOUT_MS
console.log(url)
