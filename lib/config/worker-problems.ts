import { workerCount } from '../workers/worker-count.js'
import type { ConfigProblem } from './config-error.js'
import type { GatewayConfig } from './gateway-config.js'

const LAST_PORT = 65_535
const LONGEST_NODE_ID = 128

/** What several processes of `mics start` need beyond what one does. */
export function workerProblems (config: GatewayConfig, cores?: number): ConfigProblem[] {
  const count = workerCount(config.workers, cores)
  if (count === 1) return []
  const what = config.workers === 'auto' ? `auto is ${count} workers on this machine` : `${count} workers`
  const problems: ConfigProblem[] = []
  const problem = (variable: string, text: string): void => {
    problems.push({ variable, message: `${variable}: ${text}` })
  }
  if (config.redisUrl === '') {
    problem('WORKERS', `${what} are as many nodes of a cluster, and find each other and their users through Redis; ` +
      'set REDIS_URL and CLUSTER_GRPC_TOKEN, or unset WORKERS')
  }
  if (`${config.nodeId}-${count}`.length > LONGEST_NODE_ID) {
    problem('NODE_ID', `is too long for ${what}, which are called NODE_ID-1 to NODE_ID-${count}; ` +
      `set it to at most ${LONGEST_NODE_ID - `-${count}`.length} characters`)
  }
  portProblems(config, count, what, problem)
  return problems
}

function portProblems (
  { port, nodePort, publicEndpoint }: GatewayConfig, count: number, what: string,
  problem: (variable: string, text: string) => void
): void {
  const last = nodePort + count - 1
  if (nodePort > 0 && last > LAST_PORT) {
    problem('NODE_PORT', `${what} take the ports ${nodePort} to ${last}, and ${LAST_PORT} is the last there is; choose a lower one`)
  } else if (nodePort > 0 && port >= nodePort && port <= last) {
    problem('NODE_PORT', `${what} take the ports ${nodePort} to ${last}, and PORT is ${port}; choose a NODE_PORT above PORT, or below it by ${count} or more`)
  }
  if (publicEndpoint === '') return
  const endpointPort = new URL(publicEndpoint).port
  if (nodePort === 0) {
    problem('PUBLIC_ENDPOINT', `NODE_PORT is 0: nobody knows the ports of ${what} beforehand; set NODE_PORT to the first of them, or unset PUBLIC_ENDPOINT`)
  } else if (endpointPort === '') {
    problem('PUBLIC_ENDPOINT', `${what} are reached at ports that follow one another, and it names none; end it with the port of the first, such as http://10.0.0.11:${nodePort}`)
  } else if (Number(endpointPort) + count - 1 > LAST_PORT) {
    problem('PUBLIC_ENDPOINT', `${what} take the ports ${endpointPort} to ${Number(endpointPort) + count - 1}, and ${LAST_PORT} is the last there is; choose a lower one`)
  }
}
