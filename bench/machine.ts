import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import type { Machine } from './report/result.js'

export function thisMachine (): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${type()} ${release()}`,
  }
}

/** The commit of the sources; `unknown` outside of git. */
export function commit (): { commit: string, isChanged: boolean } {
  const git = (...args: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', args, { encoding: 'utf8' })
    return status === 0 ? stdout.trim() : undefined
  }
  // What the bench itself writes is no change of what it measures.
  const changes = git('status', '--porcelain', '--', '.', ':!bench/results', ':!docs')
  return { commit: git('rev-parse', '--short=10', 'HEAD') ?? 'unknown', isChanged: changes !== undefined && changes !== '' }
}
