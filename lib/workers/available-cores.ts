import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Where the kernel says how much processor time a container gets: cgroup v2, then v1. */
const V2_LIMIT = '/sys/fs/cgroup/cpu.max'
const V1_QUOTA = '/sys/fs/cgroup/cpu/cpu.cfs_quota_us'
const V1_PERIOD = '/sys/fs/cgroup/cpu/cpu.cfs_period_us'

/**
 * Cores that this process may use, at least 1: those of the machine, or as many as fit into the processor limit of its
 * container. Node.js 20 itself knows nothing of that limit.
 * @param read of a file of the system; throws where there is none
 */
export function availableCores (
  cores = availableParallelism(), read: (path: string) => string = path => readFileSync(path, 'utf8')
): number {
  const limit = v2Limit(read) ?? v1Limit(read) ?? Infinity
  return Math.max(1, Math.min(cores, Math.floor(limit)))
}

/** `200000 100000` are two cores, `max 100000` is no limit. */
function v2Limit (read: (path: string) => string): number | undefined {
  const [quota, period] = (text(V2_LIMIT, read) ?? '').trim().split(' ').map(Number)
  return coresOf(quota, period)
}

/** A quota of -1 is no limit. */
function v1Limit (read: (path: string) => string): number | undefined {
  return coresOf(Number(text(V1_QUOTA, read)), Number(text(V1_PERIOD, read)))
}

function coresOf (quota = NaN, period = NaN): number | undefined {
  return quota > 0 && period > 0 ? quota / period : undefined
}

function text (path: string, read: (path: string) => string): string | undefined {
  try {
    return read(path)
  } catch {
    return undefined // This system has no such file, and so no such limit.
  }
}
