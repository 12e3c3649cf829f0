import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { findNginx } from '../../scripts/find-nginx.js'
import { freePort } from './free-port.js'
import { putOnLeash } from './leash.js'
import { root } from './markdown.js'
import { until } from './until.js'

/** A port may be taken between finding and using it. */
const PORT_ATTEMPTS = 5

const shipped = readFileSync(`${root}deploy/nginx/nginx.conf`, 'utf8')

/**
 * A real nginx with the configuration that is shipped, deploy/nginx/nginx.conf; its own are only a free port of
 * 127.0.0.1 and a temporary folder.
 */
export class NginxServer {
  private reloads = Promise.resolve()

  private constructor (
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly command: NginxCommand
  ) {
    putOnLeash(child, command.folder, { signal: 'TERM' })
  }

  /**
   * Resolves when it answers.
   * @param gateways where it leads to: `host:port`; there must be one at all times
   */
  static async start (gateways: readonly string[]): Promise<NginxServer> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      const command = new NginxCommand(port)
      command.writeGateways(gateways)
      const server = new NginxServer(`http://127.0.0.1:${port}`, command.run(), command)
      try {
        await server.ready()
        return server
      } catch (error) {
        await server.close()
        if (attempt === PORT_ATTEMPTS || !/Address already in use/.test(String(error))) throw error
      }
    }
  }

  /** All it has said so far: its own log and that of requests. */
  get log (): string {
    return this.command.log
  }

  /**
   * From now on new connections are led to these; those that are open stay where they are. Resolves when nginx goes by
   * it; rejects with what nginx says where it does not take it.
   */
  async leadTo (gateways: readonly string[]): Promise<void> {
    const reload = this.reloads.then(async () => {
      const former = this.workers
      this.command.writeGateways(gateways)
      await this.command.reload()
      await until('new workers have taken over', () => {
        const { log } = this
        return this.workers.length > former.length &&
          former.every(pid => log.includes(` ${pid}#${pid}: gracefully shutting down`))
      })
    })
    this.reloads = reload.catch(() => {}) // whoever asked for it is told
    await reload
  }

  /** Open connections are cut off. */
  async close (): Promise<void> {
    if (!this.isGone) {
      const gone = once(this.child, 'exit')
      // A fast shutdown: the workers end with it, as they would not with a SIGKILL.
      this.child.kill('SIGTERM')
      await gone
    }
    rmSync(this.command.folder, { recursive: true, force: true })
  }

  /** The pids of all workers that it has had. */
  private get workers (): string[] {
    return [...this.log.matchAll(/start worker process (\d+)$/gm)].map(([, pid]) => pid)
  }

  private get isGone (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private async ready (): Promise<void> {
    await until('nginx answers', async () => {
      if (this.isGone) throw new Error(`nginx ended at its start:\n${this.log}`)
      // Until it listens the connection is refused. Any answer is one.
      return await fetch(this.url).then(() => true, () => false)
    })
  }
}

/** How nginx is called on a folder of its own. */
class NginxCommand {
  readonly folder = mkdtempSync(join(tmpdir(), 'mics-nginx-'))
  private readonly executable = nginx()
  private readonly args = ['-p', this.folder, '-c', join(this.folder, 'nginx.conf')]
  private readonly logFile = join(this.folder, 'log')

  constructor (port: number) {
    writeFileSync(join(this.folder, 'nginx.conf'), configuration(`127.0.0.1:${port}`, this.folder))
  }

  get log (): string {
    return readFileSync(this.logFile, 'utf8')
  }

  writeGateways (gateways: readonly string[]): void {
    const file = join(this.folder, 'gateways.conf')
    writeFileSync(`${file}.new`, gateways.map(gateway => `server ${gateway} fail_timeout=2s;\n`).join(''))
    renameSync(`${file}.new`, file)
  }

  run (): ChildProcess {
    // A file, no pipe: nginx opens /dev/stdout, which it cannot where that is a socket, as Node.js's pipes are.
    const log = openSync(this.logFile, 'a')
    try {
      return spawn(this.executable, [...this.args, '-g', 'daemon off;'], { stdio: ['ignore', log, log] })
    } finally {
      closeSync(log)
    }
  }

  async reload (): Promise<void> {
    await promisify(execFile)(this.executable, [...this.args, '-s', 'reload'])
  }
}

/** A server that is closed when the test ends. */
export async function withNginx (t: Test, gateways: readonly string[]): Promise<NginxServer> {
  const server = await NginxServer.start(gateways)
  t.teardown(async () => await server.close())
  return server
}

/** What nginx finds wrong with the nginx.conf in a folder: nothing, if it is empty. */
export function checkNginx (folder: string): string {
  // Its stdout is no pipe: see NginxCommand.run.
  const args = ['-t', '-q', '-p', folder, '-c', join(folder, 'nginx.conf')]
  const { status, stderr } = spawnSync(nginx(), args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' })
  return status === 0 ? '' : stderr
}

function nginx (): string {
  const { path, problem } = findNginx()
  if (path === undefined) {
    throw new Error(problem ?? 'no nginx found: run `node scripts/install-nginx.js`, or set NGINX_PATH')
  }
  return path
}

/** What is shipped, to listen on another address and to write to another folder. */
export function configuration (address: string, folder: string): string {
  const changed = shipped.replaceAll('listen 8080;', `listen ${address};`).replaceAll(' /tmp/', ` ${folder}/`)
  if (!changed.includes(address) || !changed.includes(folder)) throw new Error('deploy/nginx/nginx.conf has changed')
  return changed
}
