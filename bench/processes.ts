import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../test/helpers/redis-server.js'
import { putOnLeash } from '../test/helpers/leash.js'
import { pinned } from './cores.js'

/** For a server to listen, on a busy machine. */
const START_PATIENCE_MS = 60_000

export interface Started {
  url: string
  port: number
  pid: number
}

/** Processes of a benchmark, each pinned to a core where `taskset` is present. They end with this one at the latest. */
export class Processes {
  private readonly children: ChildProcess[] = []
  private readonly folders: string[] = []

  /** Starts a script of the sources; resolves when it has printed its URL as its first line. */
  async script (core: number, script: string, env: NodeJS.ProcessEnv = {}): Promise<Started> {
    const command = [process.execPath, '--import', './bench/typescript/register.js', script]
    const child = this.spawn(core, command, { ...process.env, ...env }, ['ignore', 'pipe', 'inherit'])
    const ended = once(child, 'exit').then(() => { throw new Error(`${script} ended at its start`) })
    const [url] = await Promise.race([once(createInterface(child.stdout!), 'line'), ended]) as [string]
    ended.catch(() => {})
    return { url, port: Number(new URL(url).port), pid: child.pid as number }
  }

  /** A gateway as in production: `mics start` of the build, its log in a file. Resolves when it is ready. */
  async gateway (core: number, env: NodeJS.ProcessEnv): Promise<Started> {
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const log = join(this.folder(), 'log')
    const file = openSync(log, 'w')
    const child = this.spawn(core, [process.execPath, 'dist/cli/mics.js', 'start'], {
      ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...env,
    }, ['ignore', file, file])
    closeSync(file)
    const deadline = performance.now() + START_PATIENCE_MS
    while (!await isReady(`${url}/readyz`)) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`the gateway did not start:\n${readFileSync(log, 'utf8').slice(-4000)}`)
      }
      await delay(50)
    }
    return { url, port, pid: child.pid as number }
  }

  /** A script of the sources with an IPC channel. */
  withChannel (core: number, script: string): ChildProcess {
    return this.spawn(core, [process.execPath, '--import', './bench/typescript/register.js', script], process.env, ['ignore', 'inherit', 'inherit', 'ipc'])
  }

  close (): void {
    for (const child of this.children) child.kill('SIGKILL')
    for (const folder of this.folders) rmSync(folder, { recursive: true, force: true })
  }

  private spawn (core: number, command: readonly string[], env: NodeJS.ProcessEnv, stdio: StdioOptions): ChildProcess {
    const [file, ...args] = pinned(core, command)
    const child = spawn(file, args, { env, stdio })
    putOnLeash(child, this.folder())
    this.children.push(child)
    return child
  }

  private folder (): string {
    const folder = mkdtempSync(join(tmpdir(), 'mics-bench-'))
    this.folders.push(folder)
    return folder
  }
}

async function isReady (url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false // it does not listen yet
  }
}
