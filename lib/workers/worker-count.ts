import { mostWorkers } from '../config/environment.js'
import { availableCores } from './available-cores.js'

/** How many processes the setting WORKERS asks for: `auto` is one for each core. */
export function workerCount (workers: string, cores = availableCores()): number {
  return workers === 'auto' ? Math.min(cores, mostWorkers) : Number(workers)
}
