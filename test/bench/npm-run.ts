import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { putOnLeash } from '../helpers/leash.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Finished {
  stdout: string
  stderr: string
  exitCode: number | null
}

/** Runs a script of package.json to its end. Nothing of it outlives the test. */
export async function npmRun (script: string, ...args: string[]): Promise<Finished> {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: root, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
  })
  // No folder is to be removed with it.
  putOnLeash(child, '', { group: true })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  child.stderr.on('data', chunk => { stderr += chunk })
  const [exitCode] = await once(child, 'close')
  return { stdout, stderr, exitCode }
}
