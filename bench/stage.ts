import { Core } from './cores.js'
import { Generator } from './generator/generator.js'
import type { Place } from './generator/orders.js'
import { Processes } from './processes.js'

/** A server that is measured. */
export interface Contestant {
  name: string
  pid: number
  place: Place
}

export interface GatewayOptions {
  name?: string
  /** Tenants by name, and how the hook server is to set them up. Default: `unchecked`, which is what it says. */
  tenants?: Record<string, string>
  env?: NodeJS.ProcessEnv
  core?: number
}

/** The processes of one shape; all end with it. */
export class Stage {
  readonly processes = new Processes()
  private hookServer?: Promise<string>

  /** Its contestant is the first tenant; see `asTenant` for others. */
  async gateway ({ name = 'MICS', tenants = { unchecked: 'unchecked' }, env = {}, core = Core.SERVER }: GatewayOptions = {}): Promise<Contestant> {
    const hooks = await this.hooks()
    const urls = Object.entries(tenants).map(([tenantId, kind]) => [tenantId, `${hooks}/${kind}`])
    const { pid, port } = await this.processes.gateway(core, {
      TENANT_AUTH_MAP: JSON.stringify(Object.fromEntries(urls)),
      // Thousands connect at once here, all of one tenant.
      HANDSHAKE_MAX_PER_SECOND: '100000',
      HOOK_MAX_CONCURRENCY: '256',
      // The hook server shares its core with the generator, so it is late at times.
      HOOK_QUEUE_TIMEOUT_MS: '1000',
      HOOK_BREAKER_FAILURE_THRESHOLD: '100',
      HOOK_BREAKER_OPEN_MS: '100',
      ...env,
    })
    return { name, pid, place: { protocol: 'mics', port, tenantId: Object.keys(tenants)[0] } }
  }

  async socketIo (): Promise<Contestant> {
    const { pid, port } = await this.processes.script(Core.SERVER, 'bench/socket-io-server.ts', { NODE_ENV: 'production' })
    return { name: 'Socket.IO', pid, place: { protocol: 'socket.io', port } }
  }

  async generator (): Promise<Generator> {
    return await Generator.start(this.processes)
  }

  close (): void {
    this.processes.close()
  }

  private async hooks (): Promise<string> {
    this.hookServer ??= this.processes.script(Core.LOAD, 'bench/trivial-hooks.ts').then(({ url }) => url)
    return await this.hookServer
  }
}

/** The same gateway, for clients of another of its tenants. */
export function asTenant (gateway: Contestant, tenantId: string, name: string): Contestant {
  return { ...gateway, name, place: { ...gateway.place, tenantId } }
}
