import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import type { Test } from 'tap'
import { spawnMics } from '../cli/run.js'
import { TestClient, type ClientOptions } from '../helpers/client.js'

/** `mics` as a process of its own, ended when the test ends. */
export class MicsProcess {
  stdout = ''
  stderr = ''
  /** The exit code, or the signal that ended it, once all output is here. */
  readonly ended: Promise<number | string>

  private constructor (readonly child: ChildProcess) {
    // Each look of prints() waits for both.
    for (const stream of [child.stdout, child.stderr]) stream?.setMaxListeners(0)
    child.stdout?.on('data', chunk => { this.stdout += chunk })
    child.stderr?.on('data', chunk => { this.stderr += chunk })
    this.ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  }

  /** From the sources. */
  static start (t: Test, args: string[], env: NodeJS.ProcessEnv = {}): MicsProcess {
    return MicsProcess.of(t, spawnMics(args, { HOST: '127.0.0.1', PORT: '0', NODE_ID: 'node-1', ...env }))
  }

  static of (t: Test, child: ChildProcess): MicsProcess {
    const mics = new MicsProcess(child)
    t.teardown(async () => {
      mics.child.kill('SIGKILL')
      await mics.ended
    })
    return mics
  }

  /** Resolves with the first match of `pattern` in what it prints; rejects when it ends before. */
  async prints (pattern: RegExp): Promise<RegExpExecArray> {
    let isOver = false
    const end = this.ended.then(() => { isOver = true })
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) return match
      if (isOver) throw new Error(`ended without printing ${pattern}:\n${this.stdout}${this.stderr}`)
      await Promise.race([once(this.child.stdout as NonNullable<ChildProcess['stdout']>, 'data'), once(this.child.stderr as NonNullable<ChildProcess['stderr']>, 'data'), end])
    }
  }

  /** Resolves with its URL when it listens. */
  async url (): Promise<string> {
    return (await this.prints(/Server listening at (http:[^"\s]+)/))[1]
  }

  signal (signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Lines of the log, parsed. Throws where one is no JSON. */
  get log (): Array<Record<string, unknown>> {
    return this.stdout.split('\n').filter(line => line !== '').map(line => JSON.parse(line))
  }
}

/** Connects as a client should: 4503, which a busy machine may bring about, means to try again. */
export async function connectPatiently (t: Test, url: string, options: ClientOptions): Promise<TestClient> {
  for (;;) {
    const client = TestClient.open(url, options)
    t.teardown(() => client.ws.terminate())
    if (await client.connectAck().then(() => true, () => false)) return client
    const { code, reason } = await client.closed
    if (code !== 4503) throw new Error(`refused: ${code} ${reason}`)
  }
}
