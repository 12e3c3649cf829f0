import { Worker } from 'node:worker_threads'
import type { GeneratorProgress, GeneratorReport } from './generator.js'
import { LoadError } from './load-error.js'
import type { FromWorker, ToWorker } from './load-worker.js'
import type { TrafficPlan } from './traffic.js'

/** A generator in a thread of its own. */
export class WorkerGenerator {
  progress: GeneratorProgress = { connections: 0, sent: 0, acked: 0, failed: 0, received: 0 }
  readonly #worker: Worker
  /** Why the thread has ended. */
  #failure: Error | undefined
  #answered: { type: FromWorker['type'], resolve: (answer: FromWorker) => void, reject: (error: Error) => void } | undefined

  constructor (plan: TrafficPlan) {
    this.#worker = new Worker(workerUrl(), { workerData: plan })
    this.#worker.on('message', (answer: FromWorker) => this.#hear(answer))
    this.#worker.on('error', error => this.#fail(error))
    this.#worker.on('exit', code => this.#fail(new Error(`a thread of the load test has ended with ${code}`)))
  }

  stop (): void {
    this.#tell('stop')
  }

  askProgress (): void {
    this.#tell('progress')
  }

  async connect (): Promise<void> {
    await this.#ask('connect', 'connected')
  }

  async run (): Promise<GeneratorReport> {
    const answer = await this.#ask('run', 'report')
    return (answer as Extract<FromWorker, { type: 'report' }>).report
  }

  async abandon (): Promise<void> {
    await this.#ask('abandon', 'abandoned').catch(() => {})
  }

  async close (): Promise<void> {
    this.#answered = undefined
    await this.#worker.terminate()
  }

  #tell (what: ToWorker): void {
    this.#worker.postMessage(what)
  }

  async #ask (what: ToWorker, type: FromWorker['type']): Promise<FromWorker> {
    if (this.#failure !== undefined) throw this.#failure
    return await new Promise((resolve, reject) => {
      this.#answered = { type, resolve, reject }
      this.#tell(what)
    })
  }

  #fail (error: Error): void {
    this.#failure ??= error
    this.#answered?.reject(this.#failure)
  }

  #hear (answer: FromWorker): void {
    if (answer.type === 'progress') {
      this.progress = answer.progress
      return
    }
    const waiting = this.#answered
    if (answer.type === 'failed') {
      const { code, message } = answer
      waiting?.reject(code === undefined ? new Error(message) : new LoadError(code, message))
    } else if (waiting?.type === answer.type) {
      this.#answered = undefined
      waiting.resolve(answer)
    }
  }
}

/** In production compiled, like this file. In development tsx compiles it, which a thread has to be told. */
function workerUrl (): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./load-worker.js', import.meta.url)
  const source = new URL('./load-worker.ts', import.meta.url).href
  const script = `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))}
register()
await import(${JSON.stringify(source)})`
  return new URL(`data:text/javascript,${encodeURIComponent(script)}`)
}
