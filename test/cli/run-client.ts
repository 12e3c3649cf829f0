import type { Test } from 'tap'
import { mics, spawnMics, type Finished } from './run.js'

/** A line that `mics client` prints. */
export type Line = Record<string, unknown>

/** Runs `mics client` as a user of t1, whose stdin is empty, to its end. */
export async function client (
  { url }: { url: string }, args: string[], env: NodeJS.ProcessEnv = {}
): Promise<Finished & { lines: Line[] }> {
  const finished = await mics(['client', '--url', url, '--tenant', 't1', '--timeout', '100', ...args], env)
  return { ...finished, lines: linesOf(finished.stdout) }
}

/** One that runs, as a user of t1, until a test or the client itself ends it. */
export function startClient (t: Test, { url }: { url: string }, args: string[]) {
  const child = spawnMics(['client', '--url', url, '--tenant', 't1', ...args])
  t.teardown(() => child.kill('SIGKILL'))
  const exitCode = new Promise<number | null>(resolve => child.once('close', resolve))
  let stdout = ''
  let wake = (): void => {}
  child.stdout.on('data', chunk => {
    stdout += chunk
    wake()
  })
  async function printed (text: string): Promise<void> {
    while (!stdout.includes(text)) await new Promise<void>(resolve => { wake = resolve })
  }
  return { child, exitCode, printed, lines: () => linesOf(stdout) }
}

function linesOf (stdout: string): Line[] {
  return stdout.split('\n').filter(line => line !== '').map(line => JSON.parse(line))
}
