import { once } from 'node:events'
import { createServer } from 'node:net'
import type { GatewayConfig } from '../lib/config/gateway-config.js'
import { workerNodePort } from '../lib/workers/worker-variables.js'
import { CommandError } from './failure.js'

/**
 * Rejects where a port that workers are to listen on cannot be had, before any of them is started: each would say so
 * for itself otherwise.
 */
export async function refusePortsInUse (
  { host, port, nodePort }: Pick<GatewayConfig, 'host' | 'port' | 'nodePort'>, workers: number
): Promise<void> {
  await listen(host, port)
  for (let worker = 1; worker <= workers; worker++) {
    const own = workerNodePort(nodePort, worker)
    try {
      await listen(host, own)
    } catch (error) {
      // Whatever else is wrong with it, the worker says, and names NODE_PORT.
      if (!(error instanceof Error && 'code' in error) || error.code !== 'EADDRINUSE') continue
      throw new CommandError('MICS_PORTS', `port ${own} is in use by another process, and ${workers} workers take the ports ` +
        `${nodePort} to ${nodePort + workers - 1} for their peers; stop that one, or choose another first port with NODE_PORT`)
    }
  }
}

async function listen (host: string, port: number): Promise<void> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}
