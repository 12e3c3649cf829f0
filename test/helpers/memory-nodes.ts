import fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import app from '../../app.js'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { TestClient } from './client.js'
import { HookServer } from './hook-server.js'
import { until } from './until.js'

/** One of several gateways in this process. */
export interface MemoryNode {
  app: FastifyInstance
  hooks: HookServer
  /** Connects a client of tenant t1 and closes it when the test ends. */
  connect: (user: string, deviceId?: string) => Promise<TestClient>
}

/** Gateways that share a memory store instead of a Redis, with one hook server; closed when the test ends. */
export async function startMemoryNodes (t: Test, ids: string[], env: NodeJS.ProcessEnv = {}): Promise<MemoryNode[]> {
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  const memoryStore = new MemoryStore()
  const nodes: MemoryNode[] = []
  for (const id of ids) nodes.push(await startNode(t, hooks, memoryStore, { NODE_ID: id, ...env }))
  await until('all nodes know each other',
    () => nodes.every(({ app }) => app.nodeDirectory.members().length === nodes.length))
  return nodes
}

async function startNode (
  t: Test, hooks: HookServer, memoryStore: MemoryStore, env: NodeJS.ProcessEnv
): Promise<MemoryNode> {
  const config = loadConfig({
    HOST: '127.0.0.1',
    NODE_PORT: '0',
    CLUSTER_GRPC_TOKEN: 'a-secret-of-this-test',
    PEER_TIMEOUT_MS: '20000',
    LOG_LEVEL: 'silent',
    TENANT_AUTH_MAP: JSON.stringify({ t1: hooks.url }),
    ...env,
  })
  const gateway = fastify()
  const clients: TestClient[] = []
  t.teardown(async () => {
    for (const client of clients) client.ws.terminate()
    await gateway.close()
  })
  await gateway.register(app, { config, memoryStore })
  const url = await gateway.listen({ host: '127.0.0.1', port: 0 })
  gateway.hooksClient.timeoutMs = 10_000
  return {
    app: gateway,
    hooks,
    connect: async (user, deviceId = 'd1') => {
      const client = await TestClient.connect(url, user, { deviceId })
      clients.push(client)
      return client
    },
  }
}
