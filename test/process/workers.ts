import type { Test } from 'tap'
import { TestClient } from '../helpers/client.js'
import { HookServer } from '../helpers/hook-server.js'
import { withRedis } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { connectPatiently, MicsProcess } from './mics-process.js'

export type RunningWorkers = Workers & {
  url: string
  /** Of the workers, the first one's first. */
  pids: number[]
}

/** `mics start --workers`, with Redis and a tenant's hooks. */
export class Workers {
  private users = 0

  private constructor (readonly mics: MicsProcess, readonly hooks: HookServer, private readonly t: Test) {}

  /** Does not wait for anything but what it needs. */
  static async launch (t: Test, workers: string, env: NodeJS.ProcessEnv = {}): Promise<Workers> {
    const hooks = await HookServer.start()
    t.teardown(async () => await hooks.close())
    const { url } = await withRedis(t)
    const mics = MicsProcess.start(t, ['start', '--workers', workers], {
      NODE_ID: 'gw',
      NODE_PORT: '0',
      REDIS_URL: url,
      CLUSTER_GRPC_TOKEN: 'token',
      TENANT_AUTH_MAP: `t1=${hooks.url}`,
      DRAIN_TIMEOUT_SECONDS: '2',
      ...env,
    })
    return new Workers(mics, hooks, t)
  }

  /** Resolves when all take clients. */
  static async start (t: Test, workers: number, env: NodeJS.ProcessEnv = {}): Promise<RunningWorkers> {
    const running = await Workers.launch(t, String(workers), env)
    await running.mics.prints(/"all workers take clients"/)
    const { url, pids } = running.mics.log.find(({ msg }) => msg === 'all workers take clients') as { url: string, pids: number[] }
    return Object.assign(running, { url: url.replace('localhost', '127.0.0.1'), pids })
  }

  async connect (url: string, user: string): Promise<TestClient> {
    return await connectPatiently(this.t, url, { token: `valid:${user}` })
  }

  /** Clients of users u0, u1 and so on, new ones each time, until there is one on each of these nodes. By node. */
  async connectToEach (
    url: string, nodes: readonly string[]
  ): Promise<Map<string, { user: string, client: TestClient }>> {
    const found = new Map<string, { user: string, client: TestClient }>()
    await until(`there is a client on each of ${nodes.join(', ')}`, async () => {
      const user = `u${this.users++}`
      const client = await this.connect(url, user)
      found.set((await client.connectAck()).nodeId, { user, client })
      return nodes.every(node => found.has(node))
    })
    return found
  }
}

/** The log's lines with this message. */
export function linesOf (mics: MicsProcess, msg: RegExp): Array<Record<string, unknown>> {
  return mics.log.filter(line => msg.test(String(line.msg)))
}

/** Whether there is such a process, and it has not ended. */
export function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The value of a sample, by the text before it; undefined: there is none. */
export function sample (metrics: string, name: string): number | undefined {
  const line = metrics.split('\n').find(line => line.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}
