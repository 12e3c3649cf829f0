import type { Test } from 'tap'
import { TestClient, type ClientOptions } from '../helpers/client.js'
import { HookServer } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { connectPatiently, MicsProcess } from '../process/mics-process.js'

const CLUSTER_TOKEN = 'a-secret-of-this-test'

/** One gateway process of a cluster. */
export class ClusterNode {
  constructor (readonly id: string, readonly process: MicsProcess, readonly url: string) {}

  /** The value of a metric, summed over the samples that carry these labels. 0 where there is none. */
  async metric (name: string, labels: Record<string, string> = {}): Promise<number> {
    const body = await (await fetch(`${this.url}/metrics`)).text()
    return body.split('\n')
      .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter(line => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  async isReady (): Promise<boolean> {
    return (await fetch(`${this.url}/readyz`)).status === 200
  }

  get isRunning (): boolean {
    return this.process.child.exitCode === null && this.process.child.signalCode === null
  }
}

/** Several real gateway processes on one Redis, with a real hook server; all ended when the test ends. */
export class TestCluster {
  readonly nodes: ClusterNode[] = []
  private started = 0

  private constructor (
    private readonly t: Test,
    readonly hooks: HookServer,
    private readonly env: NodeJS.ProcessEnv
  ) {}

  static async start (
    t: Test, redisUrl: string, { nodes = 3, env = {} }: { nodes?: number, env?: NodeJS.ProcessEnv } = {}
  ): Promise<TestCluster> {
    const hooks = await HookServer.start()
    t.teardown(async () => {
      await hooks.close()
      const logs = cluster.nodes.map(({ process: { stdout, stderr } }) => stdout + stderr).join('\n')
      if (logs.includes(CLUSTER_TOKEN) || logs.includes('valid:')) throw new Error('a log names a token')
    })
    const cluster: TestCluster = new TestCluster(t, hooks, {
      REDIS_URL: redisUrl,
      CLUSTER_GRPC_TOKEN: CLUSTER_TOKEN,
      TENANT_AUTH_MAP: JSON.stringify({ t1: `${hooks.url}/t1`, t2: `${hooks.url}/t2` }),
      NODE_PORT: '0',
      LOG_LEVEL: 'info',
      DRAIN_TIMEOUT_SECONDS: '2',
      NODE_LEASE_SECONDS: '2',
      HANDSHAKE_MAX_PER_SECOND: '10000',
      // A busy machine must not make hooks fail here: a handshake that does is tried again.
      HOOK_QUEUE_TIMEOUT_MS: '1000',
      ...env,
    })
    await Promise.all(Array.from({ length: nodes }, async () => await cluster.add()))
    await cluster.settled()
    return cluster
  }

  /** Starts one more node; resolves when it takes clients. */
  async add (env: NodeJS.ProcessEnv = {}): Promise<ClusterNode> {
    const id = env.NODE_ID ?? `node-${++this.started}`
    const process = MicsProcess.start(this.t, ['start'], { ...this.env, NODE_ID: id, ...env })
    const node = new ClusterNode(id, process, await process.url())
    this.nodes.push(node)
    this.nodes.sort((one, other) => one.id < other.id ? -1 : 1)
    return node
  }

  get running (): ClusterNode[] {
    return this.nodes.filter(({ isRunning }) => isRunning)
  }

  /** Where clients may connect. */
  readonly urls = (): readonly string[] => this.running.map(({ url }) => url)

  /** Resolves when every running node knows exactly the running ones. */
  async settled (): Promise<void> {
    await until('all nodes know each other', async () => {
      const { running } = this
      const counts = await Promise.all(running.map(node => node.metric('mics_cluster_members').catch(() => -1)))
      return counts.every(count => count === running.length)
    })
  }

  async connect (node: ClusterNode, user: string, options: ClientOptions = {}): Promise<TestClient> {
    return await connectPatiently(this.t, node.url, { token: `valid:${user}`, ...options })
  }

  /** A metric, summed over the running nodes. */
  async metric (name: string, labels: Record<string, string> = {}): Promise<number> {
    const values = await Promise.all(this.running.map(node => node.metric(name, labels)))
    return values.reduce((sum, value) => sum + value, 0)
  }
}
