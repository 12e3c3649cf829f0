import { randomInt } from 'node:crypto'
import { addTallies, Generator, type GeneratorProgress, type GeneratorReport } from './generator.js'
import { addLatencies, emptyLatencies, latencyNames, summaryOf } from './latencies.js'
import { completeOptions, type CompleteLoadOptions, type LoadOptions } from './load-options.js'
import type { LoadResult } from './load-result.js'
import { sizeOf } from './shares.js'
import { notesOf, problemsOf } from './verdict.js'
import { WorkerGenerator } from './worker-generator.js'

export { LoadError } from './load-error.js'
export { loadModes, type LoadMode, type LoadOptions, type LoadUser } from './load-options.js'
export type { LoadResult } from './load-result.js'

/** How far a run is. */
export interface LoadProgress extends GeneratorProgress {
  phase: 'connecting' | 'loading'
  /** Connections that are to be open. */
  allConnections: number
  /** Since the phase began, and how long it is to take. */
  seconds: number
  ofSeconds: number
}

export interface LoadRun {
  /** Ends it early; what was sent by then is still brought to its end, and reported. */
  signal?: AbortSignal
  /** Hears of it twice a second. */
  onProgress?: (progress: LoadProgress) => void
}

const PROGRESS_MS = 500

type AnyGenerator = Generator | WorkerGenerator

/**
 * Puts load on gateways, and says what came of it. It ends by itself: after connecting, the given seconds, and at most
 * those that what is late may take; all connections are closed then.
 * @throws {LoadError} for options that cannot be used, and where there are no ports or files for so many connections
 */
export async function runLoad (given: LoadOptions, { signal, onProgress }: LoadRun = {}): Promise<LoadResult> {
  const complete = completeOptions(given)
  const { connections, parts } = sizeOf(complete)
  // A thread without anything to do would only be in the way.
  const options = { ...complete, threads: Math.min(complete.threads, parts) }
  const run = randomInt(0x1000000)
  const startedAt = new Date().toISOString()
  const generators: AnyGenerator[] = options.threads === 1
    ? [new Generator({ options, run, thread: 0 })]
    : Array.from({ length: options.threads }, (_, thread) => new WorkerGenerator({ options, run, thread }))
  const stop = (): void => { for (const generator of generators) generator.stop() }
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()

  let phase: LoadProgress['phase'] = 'connecting'
  let phaseAt = performance.now()
  const tellProgress = (): void => {
    for (const generator of generators) if (generator instanceof WorkerGenerator) generator.askProgress()
    onProgress?.({
      phase,
      allConnections: connections,
      seconds: (performance.now() - phaseAt) / 1000,
      ofSeconds: phase === 'connecting'
        ? connections / options.connectRate
        : options.warmupSeconds + options.durationSeconds,
      ...sumOf(generators.map(({ progress }) => progress)),
    })
  }
  const timer = onProgress === undefined ? undefined : setInterval(tellProgress, PROGRESS_MS)
  try {
    await Promise.all(generators.map(async generator => await generator.connect()))
    phase = 'loading'
    phaseAt = performance.now()
    const cpu = process.cpuUsage()
    const reports = await Promise.all(generators.map(async generator => await generator.run()))
    const { user, system } = process.cpuUsage(cpu)
    const interrupted = signal?.aborted === true
    return resultOf(options, reports, { startedAt, interrupted, cpuSeconds: (user + system) / 1e6 })
  } catch (error) {
    await Promise.all(generators.map(async generator => await generator.abandon()))
    throw error
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
    for (const generator of generators) if (generator instanceof WorkerGenerator) await generator.close()
  }
}

function resultOf (
  options: CompleteLoadOptions, reports: GeneratorReport[],
  { startedAt, interrupted, cpuSeconds }: { startedAt: string, interrupted: boolean, cpuSeconds: number }
): LoadResult {
  const { mode, urls, tenants, window, rate, bodyBytes, threads, warmupSeconds } = options
  const tally = addTallies(reports)
  const latencies = emptyLatencies()
  for (const report of reports) addLatencies(latencies, report.latencies)
  const seconds = Math.max(...reports.map(({ measured }) => measured.seconds))
  const connectSeconds = Math.max(...reports.map(report => report.connectSeconds))
  const perSecond = (name: 'sent' | 'acked' | 'received' | 'connected'): number => {
    const rates = reports.map(({ measured }) => measured.seconds === 0 ? 0 : measured[name] / measured.seconds)
    return round(rates.reduce((all, one) => all + one, 0))
  }
  const wantsMessages = !['connect', 'heartbeat', 'churn'].includes(mode)
  const target = wantsMessages && window === undefined ? rate : null
  const rates = {
    target,
    sent: perSecond('sent'),
    acked: perSecond('acked'),
    delivered: perSecond('received'),
    connected: perSecond('connected'),
  }
  const busy = reports.map(report => report.busy)
  const backlog = reports.reduce((all, report) => all + report.backlog, 0)
  const problems = problemsOf(tally, wantsMessages && !interrupted)
  const summaries = Object.fromEntries(
    latencyNames.map(name => [name, summaryOf(latencies[name])])) as LoadResult['latencies']
  const openedBefore = tally.connections.connected - reports.reduce((all, { measured }) => all + measured.connected, 0)
  // Rounds of mode offline have pauses of their own; a run that was cut short, or is very short, says nothing of rates.
  const steadyTarget = interrupted || mode === 'offline' || mode === 'mixed' || seconds < 1 ? null : target
  return {
    version: 1,
    mode,
    urls,
    tenants,
    startedAt,
    interrupted,
    ok: problems.length === 0,
    problems,
    notes: notesOf({ ...rates, tally, busy, latenessMs: summaries.lateness?.p99 ?? 0, target: steadyTarget, backlog }),
    seconds: { connect: round(connectSeconds), measured: round(seconds) },
    rates,
    connections: {
      ...tally.connections,
      openedPerSecond: mode === 'churn' || warmupSeconds > 0 || connectSeconds === 0 ? null : round(openedBefore / connectSeconds),
    },
    messages: { ...tally.messages, bodyBytes, backlog },
    deliveries: tally.deliveries,
    heartbeats: tally.heartbeats,
    complaints: tally.complaints,
    latencies: summaries,
    generator: { threads, busy, cpuSeconds: round(cpuSeconds) },
  }
}

function sumOf (all: GeneratorProgress[]): GeneratorProgress {
  const sum: GeneratorProgress = { connections: 0, sent: 0, acked: 0, failed: 0, received: 0 }
  for (const one of all) {
    for (const name of ['connections', 'sent', 'acked', 'failed', 'received'] as const) sum[name] += one[name]
  }
  return sum
}

function round (number: number): number {
  return Math.round(number * 100) / 100
}
