import type { networkInterfaces } from 'node:os'
import type { GatewayConfig } from '../config/gateway-config.js'

const WILDCARDS = new Set(['0.0.0.0', '::'])

/**
 * The URL under which other nodes reach this one: PUBLIC_ENDPOINT, else the address it listens on, else, where that is
 * all of them, the machine's first one that is not a loopback address.
 * @param port that it listens on
 */
export function nodeEndpoint (
  { publicEndpoint, host }: Pick<GatewayConfig, 'publicEndpoint' | 'host'>, port: number,
  interfaces: ReturnType<typeof networkInterfaces>
): string {
  if (publicEndpoint !== '') return publicEndpoint
  const addresses = Object.values(interfaces).flatMap(list => list ?? []).filter(({ internal }) => !internal)
  const outward = addresses.find(({ family }) => family === 'IPv4') ?? addresses.find(({ family }) => family === 'IPv6')
  const address = WILDCARDS.has(host) ? outward?.address ?? '127.0.0.1' : host
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`
}
