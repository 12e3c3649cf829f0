import type { Test } from 'tap'
import type { LoadResult } from '../../lib/load-test/load-result.js'
import { mics, type Finished } from './run.js'

/** Runs `mics load` for tenant t1, and reads its result. */
export async function load (
  { url }: { url: string }, mode: string, args: string[]
): Promise<Finished & { result: LoadResult }> {
  const finished = await mics(['load', mode, '--url', url, '--tenant', 't1', '--json', ...args])
  return { ...finished, result: JSON.parse(finished.stdout === '' ? 'null' : finished.stdout) }
}

/** Fails with what the result says where something is wrong. */
export function okay (t: Test, { result, exitCode, stderr }: Finished & { result: LoadResult }): void {
  t.strictSame(result?.problems, [], stderr)
  t.equal(exitCode, 0)
}
