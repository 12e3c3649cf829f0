import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { putOnLeash } from './leash.js'

/** Commands in a shell, with a process group of their own, and what they print. */
export class Terminal {
  output = ''
  /** Resolves when the shell has ended. */
  readonly ended: Promise<unknown>
  private readonly child: ChildProcess

  /** @param folder removed, if this process ends before the commands do */
  constructor (cwd: string, commands: string, folder: string) {
    const { PATH, HOME, XDG_CACHE_HOME } = process.env
    this.child = spawn('bash', ['--noprofile', '--norc', '-c', `exec 2>&1\n${commands}`], {
      cwd,
      detached: true,
      env: { PATH, HOME, XDG_CACHE_HOME, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    putOnLeash(this.child, folder, { group: true })
    this.child.stdout?.setEncoding('utf8').on('data', chunk => { this.output += chunk })
    // Of what it started too: `close` comes when nobody writes any more.
    this.ended = once(this.child, 'close')
  }

  get exitCode (): number | null {
    return this.child.exitCode
  }

  /** Resolves when what it has printed is enough, or it has ended, or time is up. */
  async prints (isEnough: (output: string) => boolean, ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const stop = (): void => {
        clearTimeout(timer)
        this.child.stdout?.off('data', look)
        resolve()
      }
      const timer = setTimeout(stop, ms)
      const look = (): void => { if (isEnough(this.output)) stop() }
      this.child.stdout?.on('data', look)
      this.ended.then(stop, stop)
      look()
    })
  }

  /** Ctrl-C. Resolves when all has ended, with whether it did so by itself; at once, where it had. */
  async interrupt (): Promise<boolean> {
    this.signal('SIGINT')
    const patience = new Promise<false>(resolve => { setTimeout(() => resolve(false), 30_000).unref() })
    const hasEnded = await Promise.race([this.ended.then(() => true), patience])
    if (!hasEnded) await this.kill()
    return hasEnded
  }

  async kill (): Promise<void> {
    this.signal('SIGKILL')
    await this.ended
  }

  private signal (signal: NodeJS.Signals): void {
    try {
      process.kill(-(this.child.pid as number), signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
