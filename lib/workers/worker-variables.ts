import type { GatewayConfig } from '../config/gateway-config.js'

/**
 * What worker `worker`, counted from 1, has of its own: its name among the nodes, and where its peers reach it. All
 * else is the same for all.
 */
export function workerVariables (
  { nodeId, nodePort, publicEndpoint }: Pick<GatewayConfig, 'nodeId' | 'nodePort' | 'publicEndpoint'>, worker: number
): NodeJS.ProcessEnv {
  return {
    WORKERS: '1',
    NODE_ID: `${nodeId}-${worker}`,
    NODE_PORT: String(workerNodePort(nodePort, worker)),
    ...(publicEndpoint === '' ? {} : { PUBLIC_ENDPOINT: workerEndpoint(publicEndpoint, worker) }),
  }
}

/** NODE_PORT is the first worker's, each further one has the next; 0 is any free one for each. */
export function workerNodePort (nodePort: number, worker: number): number {
  return nodePort === 0 ? 0 : nodePort + worker - 1
}

function workerEndpoint (publicEndpoint: string, worker: number): string {
  const url = new URL(publicEndpoint)
  url.port = String(Number(url.port) + worker - 1)
  // URL writes a slash behind an origin, which the operator has not.
  return publicEndpoint.endsWith('/') ? url.href : url.href.replace(/\/$/, '')
}
