import cluster from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { FromWorker, StartFailure } from './worker-messages.js'
import { howItEnded, WorkerProcess, type Ending } from './worker-process.js'

/** Milliseconds until a worker that has ended starts again: the first time, and at most. */
const FIRST_RESTART_MS = 1000
const LAST_RESTART_MS = 30_000

/** Milliseconds that a worker has to live for its next end to count as the first. */
const STEADY_MS = 60_000

/** Milliseconds between two pings: see worker-process.ts for how many may go unanswered. */
const PING_MS = 5000

/** Milliseconds for workers to end where the start of one of them failed. */
const GIVE_UP_MS = 5000

export interface SupervisorOptions {
  /** How many workers. */
  workers: number
  /** The path of the program that a worker is; it gets its number, from 1, and how many there are. */
  program: string
  /** More arguments of Node.js itself for a worker. */
  execArgv?: readonly string[]
  /** What a worker's environment has of its own. */
  variables: (worker: number) => NodeJS.ProcessEnv
  log: Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>
  /** Milliseconds until a worker that has ended starts again, the first time. */
  firstRestartMs?: number
}

/** A worker did not come to listen, and so none does. */
export class WorkerStartError extends Error implements StartFailure {
  readonly code = 'MICS_WORKER_START'
  readonly text: string
  readonly exitCode: number

  constructor ({ text, exitCode }: StartFailure) {
    super(text)
    this.text = text
    this.exitCode = exitCode
  }
}

/** A place among the workers: a process after another has it. */
interface Place {
  process: WorkerProcess
  restarts: number
  /** Ends in a row, none of which had lived for long. */
  failures: number
}

/**
 * Several processes that share one port, and this one, which hands each connection to the next of them. It takes part
 * in nothing else, but passes questions for metrics on.
 */
export class Supervisor {
  readonly #options: Required<SupervisorOptions>
  readonly #places: Place[] = []
  readonly #stopping = new AbortController()
  readonly #pings: NodeJS.Timeout
  #hasStarted = false
  #listening = 0

  constructor ({ execArgv = [], firstRestartMs = FIRST_RESTART_MS, ...options }: SupervisorOptions) {
    this.#options = { execArgv, firstRestartMs, ...options }
    // In turn, by this process, and not by whoever wakes up first: a WebSocket stays where it came to, and the workers
    // would have several times as many as others for good.
    cluster.schedulingPolicy = cluster.SCHED_RR
    this.#pings = setInterval(() => this.#ping(), PING_MS)
  }

  /**
   * Starts all of them. Resolves when all listen, which they do when all are ready, with where clients reach them.
   * Rejects with a WorkerStartError when one cannot; then all have ended.
   */
  async start (): Promise<string> {
    const url = new Promise<string>(resolve => { this.#onceAllListen = resolve })
    for (let worker = 1; worker <= this.#options.workers; worker++) {
      this.#places.push({ process: this.#launch(worker), restarts: 0, failures: 0 })
    }
    const failed = this.#places.map(async ({ process }, index) => {
      const ending = await process.ended
      throw new WorkerStartError(ending.failure ?? {
        text: `worker ${index + 1} of ${this.#options.workers} has ended at its start (${howItEnded(ending)}); what it said before says why`,
        exitCode: 1,
      })
    })
    try {
      return await Promise.race([url, ...failed])
    } catch (error) {
      await this.#giveUp()
      throw error
    } finally {
      this.#hasStarted = true
      for (const failure of failed) failure.catch(() => {}) // From now on #follow sees it.
      for (const index of this.#places.keys()) this.#follow(index + 1)
    }
  }

  #onceAllListen: (url: string) => void = () => {}

  /**
   * Drains all side by side. Resolves when they have ended, with whether each did so as it should; of one that did not
   * the log says it.
   */
  async stop (): Promise<boolean> {
    const endings = await this.#drain((worker, process, ending) => {
      if (ending.exitCode === 0) return
      const fields = { worker, pid: process.pid, how: howItEnded(ending), problem: ending.failure?.text }
      this.#options.log.error(fields, 'a worker has not ended as it should: its last lines say why')
    })
    return endings.every(({ exitCode }) => exitCode === 0)
  }

  /** Ends all at once, after `stop`, which then resolves. */
  end (): void {
    for (const { process } of this.#places) process.tell({ kind: 'end' })
    setTimeout(() => this.#kill(), GIVE_UP_MS).unref()
  }

  get pids (): (number | undefined)[] {
    return this.#places.map(({ process }) => process.pid)
  }

  #launch (worker: number): WorkerProcess {
    const { program, workers, execArgv, variables } = this.#options
    cluster.setupPrimary({
      exec: program,
      args: [String(worker), String(workers)],
      execArgv: [...process.execArgv, ...execArgv],
      serialization: 'advanced',
    })
    return new WorkerProcess(cluster.fork(variables(worker)), message => { this.#hear(worker, message) })
  }

  #hear (worker: number, message: FromWorker): void {
    const { process } = this.#place(worker)
    switch (message.kind) {
      case 'ready':
        process.isReady = true
        if (this.#hasStarted) process.tell({ kind: 'listen' })
        else if (this.#places.every(({ process }) => process.isReady)) this.#listen()
        break
      case 'listening':
        process.isListening = true
        if (this.#hasStarted) this.#options.log.info({ worker, pid: process.pid }, 'a worker is back')
        else if (++this.#listening === this.#options.workers) this.#onceAllListen(message.url)
        break
      case 'gather-metrics':
        this.#gatherMetrics(worker, message.question)
        break
      case 'metrics-for':
        this.#place(message.worker).process
          .tell({ kind: 'metrics', question: message.question, worker, text: message.text })
    }
  }

  #listen (): void {
    for (const { process } of this.#places) process.tell({ kind: 'listen' })
  }

  #gatherMetrics (by: number, question: number): void {
    const asker = this.#place(by).process
    const { user, system } = process.cpuUsage()
    const metrics = {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      restarts: this.#places.map(({ restarts }) => restarts),
    }
    asker.tell({ kind: 'primary-metrics', question, metrics })
    for (const [index, { process }] of this.#places.entries()) {
      if (index + 1 === by) continue
      if (process.isListening) process.tell({ kind: 'metrics-wanted', by, question })
      else asker.tell({ kind: 'metrics', question, worker: index + 1, text: undefined })
    }
  }

  /** Starts a worker again whenever it has ended. */
  async #follow (worker: number): Promise<void> {
    const place = this.#place(worker)
    for (;;) {
      const ending = await place.process.ended
      if (this.#stopping.signal.aborted) return
      const restartMs = this.#restartMs(place)
      this.#tellEnding(worker, place.process, ending, restartMs)
      try {
        await delay(restartMs, undefined, { signal: this.#stopping.signal })
      } catch {
        return // It is time to stop.
      }
      place.restarts++
      place.process = this.#launch(worker)
    }
  }

  #restartMs (place: Place): number {
    const { firstRestartMs } = this.#options
    if (performance.now() - place.process.startedAt >= STEADY_MS) place.failures = 0
    return Math.min(LAST_RESTART_MS, firstRestartMs * 2 ** Math.min(place.failures++, 16))
  }

  #tellEnding (worker: number, { pid, isReady }: WorkerProcess, ending: Ending, restartMs: number): void {
    const fields = { worker, pid, how: howItEnded(ending), restartMs }
    if (isReady) {
      this.#options.log.error(fields, 'a worker has ended and starts again: its last lines say why; SIGKILL without any is mostly a lack of memory')
    } else {
      const problem = ending.failure?.text ?? 'it has not said why'
      this.#options.log.error({ ...fields, problem }, 'a worker cannot start, and tries again: mend what its problem says')
    }
  }

  /** One that hangs would keep the connections that it is handed. */
  #ping (): void {
    for (const [index, { process }] of this.#places.entries()) {
      if (!process.isListening || process.ping()) continue
      this.#options.log.error({ worker: index + 1, pid: process.pid }, 'a worker does not answer any more: it is killed')
      process.kill()
    }
  }

  async #giveUp (): Promise<void> {
    const killing = setTimeout(() => this.#kill(), GIVE_UP_MS)
    await this.#drain(() => {})
    clearTimeout(killing)
  }

  /** @param tell hears of each as it ends */
  async #drain (tell: (worker: number, process: WorkerProcess, ending: Ending) => void): Promise<Ending[]> {
    this.#stopping.abort()
    const endings = [...this.#places.entries()]
      .filter(([, { process }]) => !process.isGone)
      .map(async ([index, { process }]) => {
        process.tell({ kind: 'stop' })
        const ending = await process.ended
        tell(index + 1, process, ending)
        return ending
      })
    const all = await Promise.all(endings)
    clearInterval(this.#pings)
    return all
  }

  #kill (): void {
    for (const { process } of this.#places) process.kill()
  }

  #place (worker: number): Place {
    const place = this.#places[worker - 1]
    if (place === undefined) throw new Error(`there is no worker ${worker}`)
    return place
  }
}
