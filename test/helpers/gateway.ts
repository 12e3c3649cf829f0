import type { Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import { startServer, type Server } from '../../server.js'
import { TestClient, type ClientOptions } from './client.js'
import { HookServer } from './hook-server.js'

export interface TestGateway {
  server: Server
  hooks: HookServer
  url: string
  /** Connects a client of tenant t1 and closes it when the test ends. */
  connect: (user: string, options?: ClientOptions) => Promise<TestClient>
  /** The value of a metric, summed over the samples that carry these labels. 0 where there is none. */
  metric: (name: string, labels?: Record<string, string>) => Promise<number>
}

export interface GatewayOptions {
  /**
   * Milliseconds for a hook call, instead of 150: for tests in which hooks are fine, or must not time out yet. The hook
   * server, the gateway and its clients share one busy process here.
   */
  hookTimeoutMs?: number
}

export const SECRET = 'test-secret'

/**
 * A whole gateway on a free port with a real hook server, both closed when the test ends. Tenants `t1` and `t2` use
 * the hook server, under paths of their own; the secret of t1 is SECRET, t2 has none.
 */
export async function startGateway (
  t: Test, env: NodeJS.ProcessEnv = {}, { hookTimeoutMs }: GatewayOptions = {}
): Promise<TestGateway> {
  const hooks = await HookServer.start()
  const tenants = 'TENANTS_FILE' in env
    ? {}
    : {
        TENANT_AUTH_MAP: JSON.stringify({ t1: `${hooks.url}/t1`, t2: `${hooks.url}/t2` }),
        TENANT_HOOK_SECRETS: JSON.stringify({ t1: SECRET }),
      }
  const config = loadConfig({ NODE_ID: 'node-1', HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', DRAIN_TIMEOUT_SECONDS: '1', ...tenants, ...env })
  const server = await startServer({ config, embedded: false, handleSignals: false })
  if (hookTimeoutMs !== undefined) server.app.hooksClient.timeoutMs = hookTimeoutMs
  const clients: TestClient[] = []
  t.teardown(async () => {
    for (const client of clients) client.ws.terminate()
    await server.close()
    await hooks.close()
  })
  return {
    server,
    hooks,
    url: server.url,
    connect: async (user, options) => {
      const client = await TestClient.connect(server.url, user, options)
      clients.push(client)
      return client
    },
    metric: async (name, labels = {}) => {
      const response = await server.app.inject('/metrics')
      return response.body.split('\n')
        .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
        .filter(line => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
  }
}
