import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { reachableHost } from '../../lib/config/reachable-host.js'
import { MockGateway } from '../../lib/mock-gateway/mock-gateway.js'
import type { LogEntry } from '../../lib/mock-gateway/mock-log.js'
import type { Scenario } from '../../lib/mock-gateway/scenario.js'
import { mockControl } from './mock-control.js'

export interface MockServerOptions {
  host: string
  /** 0: any free port. */
  port: number
  scenario: Scenario
  /** Instead of the scenario's own. */
  seed?: number
  /** Hears of each entry of the log. */
  onEntry?: (entry: LogEntry) => void
}

export interface MockServer {
  url: string
  gateway: MockGateway
  close (): Promise<void>
}

/** A mock gateway that listens: clients at `/ws`, tests at `/mock`. */
export async function startMockServer (
  { host, port, scenario, seed, onEntry }: MockServerOptions
): Promise<MockServer> {
  const gateway = new MockGateway(scenario, seed, onEntry)
  const app = Fastify({ logger: false, forceCloseConnections: true, bodyLimit: 4 * 1024 * 1024 })
  await app.register(mockControl, { gateway })
  app.server.on('upgrade', (request, socket, head) => {
    if (/^\/ws(\?|$)/.test(request.url ?? '')) gateway.accept(request, socket, head)
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  })
  await app.listen({ host, port })
  const bound = app.server.address() as AddressInfo
  return {
    url: `http://${reachableHost(host)}:${bound.port}`,
    gateway,
    close: async () => {
      gateway.close()
      await app.close()
    },
  }
}
