import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const hasTaskset = spawnSync('taskset', ['-V']).status === 0

/** A script of a benchmark in a process of its own, with a channel to it. It ends with this process at the latest. */
export class ScriptProcess {
  private constructor (
    private readonly child: ChildProcess,
    /** What it printed as its first line. */
    readonly url: string
  ) {}

  /**
   * Starts it, pinned to a core where `taskset` is present, and resolves when it has printed its first line.
   * @throws {Error} where it ends before that
   */
  static async start (core: number, script: string, env: NodeJS.ProcessEnv = {}): Promise<ScriptProcess> {
    const command = [
      process.execPath, '--enable-source-maps',
      '--import', './bench/typescript/register.js', '--import', './bench/end-with-parent.js', script,
    ]
    const [file, ...args] = hasTaskset ? ['taskset', '-c', String(core), ...command] : command
    const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    if (child.stdout === null) throw new Error('a piped process has an output')
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`${script} ended before it was ready: ${signal ?? `exit code ${code}`}`)
    })
    const [url] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]) as [string]
    ended.catch(() => {})
    return new ScriptProcess(child, url)
  }

  /**
   * Sends a message and resolves with the answer.
   * @throws {Error} where the process ends instead
   */
  async ask (question: string): Promise<unknown> {
    const ended = once(this.child, 'exit').then(() => { throw new Error(`the process ended at "${question}"`) })
    this.child.send(question)
    const [answer] = await Promise.race([once(this.child, 'message'), ended])
    ended.catch(() => {})
    return answer
  }

  close (): void {
    this.child.kill('SIGKILL')
  }
}
