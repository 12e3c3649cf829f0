import type { EventLoopUtilization } from 'node:perf_hooks'
import type { Latencies } from './latencies.js'
import type { Mode } from './mode.js'
import { modesOf } from './shares.js'
import { emptyTally, addTally, sum, type Tally } from './tally.js'
import { Traffic, type TrafficPlan } from './traffic.js'

/** Time that connections get to say goodbye. */
const CLOSE_MS = 5000
const LOOK_MS = 20

/** How far a thread is. */
export interface GeneratorProgress {
  connections: number
  sent: number
  acked: number
  failed: number
  received: number
}

/** What a thread reports in the end. */
export interface GeneratorReport {
  tally: Tally
  /** Of the measured seconds alone. */
  measured: { seconds: number, sent: number, acked: number, received: number, connected: number }
  latencies: Latencies
  /** Part of the measured time that the thread was busy, 0 to 1. */
  busy: number
  connectSeconds: number
  /** Messages without an ack when the load ended. */
  backlog: number
}

/** Does one thread's share of a run, step by step, as it is told. */
export class Generator {
  readonly #traffic: Traffic
  readonly #modes: Mode[]
  readonly #stopped = new AbortController()
  #connectSeconds = 0

  constructor (plan: TrafficPlan) {
    this.#traffic = new Traffic(plan)
    this.#modes = modesOf(this.#traffic, plan.thread)
  }

  /** Ends the run early: what is sent by then is still brought to its end. */
  stop (): void {
    this.#stopped.abort()
  }

  /**
   * Opens the connections.
   * @throws {LoadError} where it makes no sense to go on
   */
  async connect (): Promise<void> {
    const startedAt = performance.now()
    const all = Promise.all(this.#modes.map(async mode => await mode.connect(this.#stopped.signal)))
    await this.#unlessFailed(all)
    this.#connectSeconds = (performance.now() - startedAt) / 1000
  }

  /**
   * Makes the load, waits for what is late, and closes the connections.
   * @throws {LoadError} where it makes no sense to go on
   */
  async run (): Promise<GeneratorReport> {
    const ended = new AbortController()
    const load = Promise.all(this.#modes.map(async mode => await mode.load(ended.signal)))
    // Where another part has failed, nobody asks this one any more.
    load.catch(() => {})
    try {
      return await this.#measure(load, ended)
    } finally {
      ended.abort()
    }
  }

  async #measure (load: Promise<unknown>, ended: AbortController): Promise<GeneratorReport> {
    const traffic = this.#traffic
    const { warmupSeconds, durationSeconds, drainSeconds } = traffic.options
    const { signal } = this.#stopped
    await this.#unlessFailed(wait(warmupSeconds, signal))
    traffic.isMeasuring = true
    const before = this.#counts()
    const startedAt = performance.now()
    const utilization = performance.eventLoopUtilization()
    await this.#unlessFailed(wait(durationSeconds, signal))
    const after = this.#counts()
    const seconds = (performance.now() - startedAt) / 1000
    const busy = busyPart(performance.eventLoopUtilization(utilization))
    const backlog = after.sent - after.acked - after.failed
    ended.abort()
    await this.#unlessFailed(load)
    await this.#unlessFailed(this.#drain(drainSeconds * 1000))
    await traffic.close(CLOSE_MS)
    traffic.closeStreams()

    return {
      tally: traffic.tally,
      measured: {
        seconds,
        sent: after.sent - before.sent,
        acked: after.acked - before.acked,
        received: after.received - before.received,
        connected: after.connected - before.connected,
      },
      latencies: traffic.latencies,
      busy,
      connectSeconds: this.#connectSeconds,
      backlog,
    }
  }

  /** Closes everything at once, after an error. */
  async abandon (): Promise<void> {
    this.stop()
    await this.#traffic.close(0)
  }

  get progress (): GeneratorProgress {
    const { sent, acked, failed, received } = this.#counts()
    return { connections: this.#traffic.openConnections, sent, acked, failed, received }
  }

  #counts () {
    const { messages, deliveries, connections } = this.#traffic.tally
    return {
      sent: messages.sent,
      acked: messages.acked,
      failed: sum(messages.failed),
      received: deliveries.received,
      connected: connections.connected,
    }
  }

  async #drain (ms: number): Promise<void> {
    const traffic = this.#traffic
    const deadline = performance.now() + ms
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
    // Where nobody is connected any more nothing comes.
    await until(() => traffic.isSettled || traffic.openConnections === 0)
    traffic.stopHeartbeats()
    await until(() => traffic.isAnswered)
  }

  async #unlessFailed<T> (promise: Promise<T>): Promise<T> {
    return await Promise.race([promise, this.#traffic.failed])
  }
}

/** Resolves after so long, or when `signal` is aborted. */
async function wait (seconds: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || seconds === 0) return
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, seconds * 1000)
    signal.addEventListener('abort', done)
  })
}

function busyPart ({ utilization }: EventLoopUtilization): number {
  return Math.round(utilization * 1000) / 1000
}

/** What several threads report, as one. */
export function addTallies (reports: readonly GeneratorReport[]): Tally {
  const all = emptyTally()
  for (const { tally } of reports) addTally(all, tally)
  return all
}
