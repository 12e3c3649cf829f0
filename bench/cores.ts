import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

export const hasTaskset = spawnSync('taskset', ['-V']).status === 0

/** Which core runs what: the measured server has one for itself, as far as the bench is concerned. */
export const Core = {
  SERVER: 0,
  /** The generator, and all that is not measured: hook server, Redis, Kafka. */
  LOAD: 1,
  /** A second gateway at a steady rate. On two cores it shares the first one's: the generator looks all the time. */
  SECOND_SERVER: availableParallelism() > 2 ? 2 : 0,
  /** A second gateway under load. On two cores it shares the generator's. */
  BUSY_SECOND_SERVER: availableParallelism() > 2 ? 2 : 1,
} as const

/** The command, on one core where `taskset` is present. */
export function pinned (core: number, command: readonly string[]): [string, ...string[]] {
  return (hasTaskset ? ['taskset', '-c', String(core), ...command] : [...command]) as [string, ...string[]]
}

/** Moves a running process, all its threads, to one core where `taskset` is present. */
export function pin (core: number, pid: number): void {
  if (hasTaskset) spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' })
}
