import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { putOnLeash } from '../helpers/leash.js'
import { until } from '../helpers/until.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** An example, started as a reader would. */
export class StartedExample {
  /** Everything it printed so far. */
  output = ''
  private readonly events = new EventEmitter()

  private constructor (private readonly child: ChildProcess) {}

  /** @param env besides what finding programs takes */
  static start (t: Test, name: string, env: NodeJS.ProcessEnv = {}): StartedExample {
    return this.spawn(t, root, ['npm', 'run', `example:${name}`], env)
  }

  /** A program of an example by itself, as in a project of the reader's own. */
  static startAlone (t: Test, name: string, program: string, env: NodeJS.ProcessEnv = {}): StartedExample {
    return this.spawn(t, join(root, 'examples', name), [process.execPath, program], env)
  }

  private static spawn (t: Test, cwd: string, [command, ...args]: string[], env: NodeJS.ProcessEnv): StartedExample {
    const folder = mkdtempSync(join(tmpdir(), 'mics-example-'))
    // A process group of its own, as a shell gives each command: Ctrl-C is for all of it.
    const child = spawn(command, args, {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_update_notifier: 'false', ...env },
    })
    putOnLeash(child, folder, { group: true })
    const example = new StartedExample(child)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', chunk => {
        example.output += chunk
        example.events.emit('change')
      })
    }
    child.once('close', () => example.events.emit('change'))
    t.teardown(async () => {
      if (example.isRunning()) await example.stop('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
    return example
  }

  /** Resolves with what the pattern finds in the output, its first group where it has one. */
  async printed (pattern: RegExp): Promise<string> {
    while (!pattern.test(this.output)) {
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}, and printed:\n${this.output}`)
      await once(this.events, 'change')
    }
    const [whole, group] = pattern.exec(this.output) as RegExpExecArray
    return group ?? whole
  }

  /** Ctrl-C: the signal goes to npm and to all that it has started. Resolves when everything has ended. */
  async pressCtrlC (): Promise<void> {
    await this.stop('SIGINT')
  }

  /** Resolves with the exit code when it ends by itself. */
  async ended (): Promise<number | null> {
    while (this.child.exitCode === null) await once(this.events, 'change')
    return this.child.exitCode
  }

  /** As a process supervisor does it: what was started alone gets the signal, npm say. Resolves with the exit code. */
  async terminate (): Promise<number | null> {
    const closed = once(this.child, 'close')
    this.child.kill('SIGTERM')
    await closed
    return this.child.exitCode
  }

  /** Is anything of it still there? */
  isRunning (): boolean {
    try {
      return process.kill(-(this.child.pid as number), 0)
    } catch {
      return false // the group has no process any more
    }
  }

  private async stop (signal: NodeJS.Signals): Promise<void> {
    process.kill(-(this.child.pid as number), signal)
    await until('all of it has ended', () => !this.isRunning())
  }
}
