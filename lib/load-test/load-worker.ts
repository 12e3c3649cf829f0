import { inspect } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { Generator, type GeneratorProgress, type GeneratorReport } from './generator.js'
import { LoadError } from './load-error.js'
import type { TrafficPlan } from './traffic.js'

/*
 * A thread of a load run: see worker-generator.ts, which starts it with its plan and tells it each step.
 */

/** What a thread is told. */
export type ToWorker = 'connect' | 'run' | 'stop' | 'progress' | 'abandon'

/** What it answers. */
export type FromWorker =
  | { type: 'connected' }
  | { type: 'report', report: GeneratorReport }
  | { type: 'progress', progress: GeneratorProgress }
  | { type: 'abandoned' }
  /** `code` is that of a LoadError. */
  | { type: 'failed', message: string, code?: string }

const port = parentPort
if (port === null) throw new Error('load-worker is started by worker-generator, as a thread')
const generator = new Generator(workerData as TrafficPlan)

async function obey (told: ToWorker): Promise<FromWorker | undefined> {
  switch (told) {
    case 'connect':
      await generator.connect()
      return { type: 'connected' }
    case 'run':
      return { type: 'report', report: await generator.run() }
    case 'progress':
      return { type: 'progress', progress: generator.progress }
    case 'abandon':
      await generator.abandon()
      return { type: 'abandoned' }
    case 'stop':
      generator.stop()
      return undefined
  }
}

port.on('message', (told: ToWorker) => {
  obey(told).then(
    answer => { if (answer !== undefined) port.postMessage(answer) },
    (error: unknown) => port.postMessage({
      type: 'failed',
      message: error instanceof LoadError ? error.message : inspect(error),
      ...error instanceof LoadError && { code: error.code },
    } satisfies FromWorker))
})
