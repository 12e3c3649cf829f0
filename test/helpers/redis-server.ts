import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { findRedis } from '../../scripts/find-redis.js'
import { until } from './until.js'

export interface RedisServerOptions {
  /** More arguments of redis-server, such as `['--requirepass', 'x']`. */
  args?: string[]
  /** Lines of a configuration file, for what has no argument. Redis may write to it. */
  config?: string
}

/** The bus of a Redis Cluster listens on a port this much higher. */
const BUS_OFFSET = 10_000

/** A port may be taken between finding and using it. */
const PORT_ATTEMPTS = 5

const running = new Set<ChildProcess>()
process.on('exit', () => { for (const child of running) child.kill('SIGKILL') })

/** A real redis-server on a free port of 127.0.0.1, empty, without persistence, in a temporary folder. */
export class RedisServer {
  private child!: ChildProcess

  private constructor (
    readonly port: number,
    private readonly executable: string,
    private readonly folder: string,
    private readonly args: readonly string[]
  ) {}

  /** Resolves when it answers. */
  static async start ({ args = [], config = '' }: RedisServerOptions = {}): Promise<RedisServer> {
    const { path, problem } = findRedis()
    if (path === undefined) {
      throw new Error(problem ?? 'no redis-server found: run `node scripts/install-redis.js`, or set REDIS_SERVER_PATH')
    }
    const folder = mkdtempSync(join(tmpdir(), 'mics-redis-'))
    const file = join(folder, 'redis.conf')
    writeFileSync(file, `bind 127.0.0.1\ndir ${folder}\n${config}\n`)
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(await freePort(), path, folder, [file, ...args])
      try {
        await server.run()
        return server
      } catch (error) {
        if (attempt === PORT_ATTEMPTS || !/bind|listening socket|in use/i.test(String(error))) {
          rmSync(folder, { recursive: true, force: true })
          throw error
        }
      }
    }
  }

  get url (): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Of the process that runs now. */
  get pid (): number {
    return this.child.pid as number
  }

  /** Resolves when the process is gone. */
  async kill (): Promise<void> {
    if (this.isGone) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }

  /** On the same port and empty, whether it was killed before or not. Resolves when it answers. */
  async restart (): Promise<void> {
    await this.kill()
    await this.run()
  }

  /** It hangs: connections stay open and nothing is answered, until `resume`. */
  pause (): void {
    this.child.kill('SIGSTOP')
  }

  resume (): void {
    this.child.kill('SIGCONT')
  }

  async close (): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private get isGone (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private async run (): Promise<void> {
    const child = spawn(this.executable, [...this.args, '--port', String(this.port)], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    let output = ''
    child.stdout.on('data', chunk => { output += chunk })
    child.stderr.on('data', chunk => { output += chunk })
    await until(`redis-server answers on port ${this.port}`, async () => {
      if (this.isGone) throw new Error(`redis-server ended at its start:\n${output}`)
      return await answersPing(this.port)
    })
  }
}

/** A server that is closed when the test ends. */
export async function withRedis (t: Test, options?: RedisServerOptions): Promise<RedisServer> {
  const server = await RedisServer.start(options)
  t.teardown(async () => await server.close())
  return server
}

/** A real Redis Cluster of three masters without replicas. */
export interface RedisCluster {
  nodes: RedisServer[]
  url: string
  close (): Promise<void>
}

/**
 * Resolves when all three say that the cluster is in order.
 * @param options for each of them
 */
export async function startRedisCluster ({ args = [], config }: RedisServerOptions = {}): Promise<RedisCluster> {
  const clusterArgs = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', ...args]
  const nodes = await Promise.all([0, 1, 2].map(async () => await RedisServer.start({ args: clusterArgs, config })))
  const close = async (): Promise<void> => { await Promise.all(nodes.map(async node => await node.close())) }
  try {
    await formCluster(nodes)
  } catch (error) {
    await close()
    throw error
  }
  return { nodes, url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, close }
}

/** A cluster that is closed when the test ends. */
export async function withRedisCluster (t: Test, options?: RedisServerOptions): Promise<RedisCluster> {
  const cluster = await startRedisCluster(options)
  t.teardown(async () => await cluster.close())
  return cluster
}

/** A third of the slots each, then acquainted. */
async function formCluster (nodes: RedisServer[]): Promise<void> {
  const clients = nodes.map(({ port }) => new Redis(port))
  try {
    await Promise.all(clients.map(async (client, index) => {
      const [first, end] = [index, index + 1].map(part => Math.floor(part * 16384 / nodes.length))
      await client.call('CLUSTER', 'ADDSLOTSRANGE', first, end - 1)
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    }))
    for (const { port } of nodes) await clients[0].call('CLUSTER', 'MEET', '127.0.0.1', port)
    await until('the Redis Cluster is in order', async () => {
      const states = await Promise.all(clients.map(async client => String(await client.call('CLUSTER', 'INFO'))))
      return states.every(state => state.includes('cluster_state:ok') && state.includes('cluster_size:3'))
    })
  } finally {
    for (const client of clients) client.disconnect()
  }
}

/** A port that nobody listens on now, with room for the bus of a Redis Cluster. */
export async function freePort (): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    if (port + BUS_OFFSET < 65_536) return port
  }
}

/** Any answer is one: a server that wants a password says so. */
function answersPing (port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const done = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('data', () => done(true))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
  })
}
