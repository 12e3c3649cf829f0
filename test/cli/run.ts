import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Finished {
  stdout: string
  stderr: string
  exitCode: number | null
}

/** Starts `mics` from the sources. Of this process's environment it gets what finding programs takes, no more. */
export function spawnMics (args: string[], env: NodeJS.ProcessEnv = {}) {
  return spawn(process.execPath, ['--import', 'tsx', 'cli/mics.ts', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  })
}

/** Runs `mics` to its end. */
export async function mics (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  const child = spawnMics(args, env)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  child.stderr.on('data', chunk => { stderr += chunk })
  const [exitCode] = await once(child, 'close')
  return { stdout, stderr, exitCode }
}
