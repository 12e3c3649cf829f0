import { Code, ConnectError } from '@connectrpc/connect'
import { Command, InvalidArgumentError } from 'commander'
import type { GatewayConfig } from '../lib/config/gateway-config.js'
import { loadConfig } from '../lib/config/load-config.js'
import { reachableHost } from '../lib/config/reachable-host.js'
import type { NodeTrace } from '../lib/gen/mics/node/v1/node_pb.js'
import { askForTrace } from '../lib/message-trace/trace-client.js'
import { workerCount } from '../lib/workers/worker-count.js'
import { workerNodePort } from '../lib/workers/worker-variables.js'
import type { EventFormat } from './event-lines.js'
import { defaultFormat, formatOption } from './events-tail.js'
import { CommandError, fail } from './failure.js'
import { LineOutput } from './line-output.js'
import { jsonLine, traceRows, traceTable } from './trace-rows.js'

interface TraceOptions {
  tenant: string
  msg: string
  node?: string
  format?: EventFormat
}

/** Milliseconds for the node to answer beyond what it gives the others. */
const ANSWER_MS = 5000

export function traceMessageCommand (): Command {
  return new Command('trace-message')
    .description('why a message did not arrive: what each node did with it')
    .requiredOption('-t, --tenant <id>', 'whose message')
    .requiredOption('-m, --msg <id>', 'its msg_id, as in its ack')
    .option('--node <url>', 'NODE_PORT of any node, which asks the others (default: NODE_PORT on this machine, of several WORKERS the first that answers)', parseNode)
    .addOption(formatOption())
    .addHelpText('after', `
It presents CLUSTER_GRPC_TOKEN, of several the first, which must be the nodes' own. A node that is alone answers too, where it has one.
Nodes know their latest messages (MESSAGE_TRACE_ENTRIES), and nothing of their bodies. What each stage and result means
is in docs/operations.md.

Exit codes: 0 where a node knows the message, 1 where none does or none can be asked.

Examples:
  $ mics trace-message --tenant acme --msg 0195d2c4-7a1e
  $ mics trace-message --tenant acme --msg 0195d2c4-7a1e --node http://10.0.0.11:8081
  $ mics trace-message --tenant acme --msg 0195d2c4-7a1e --format json | jq -r .stage`)
    .action(async (options: TraceOptions) => {
      try {
        await traceMessage(process.env, options)
      } catch (error) {
        fail(error)
      }
    })
}

async function traceMessage (env: NodeJS.ProcessEnv, options: TraceOptions): Promise<void> {
  const { tenant, msg, format = defaultFormat() } = options
  const nodes = await ask(env, options)
  for (const { nodeId, problem } of nodes) if (problem !== '') process.stderr.write(`warning: ${nodeId}: ${problem}\n`)
  const rows = traceRows(nodes)
  if (rows.length === 0) throw new CommandError('MICS_MESSAGE_UNKNOWN', unknown(tenant, msg, nodes))
  const output = new LineOutput(process.stdout)
  for (const line of format === 'json' ? rows.map(jsonLine) : traceTable(rows)) await output.write(line)
}

async function ask (env: NodeJS.ProcessEnv, { tenant, msg, node }: TraceOptions): Promise<NodeTrace[]> {
  const config = loadConfig(env, { embedded: true })
  const { peerTimeoutMs, clusterGrpcTokens: [token] } = config
  if (token === undefined) {
    throw new CommandError('MICS_NO_TOKEN', 'set CLUSTER_GRPC_TOKEN to what the nodes have; a node without one cannot be asked')
  }
  const question = { tenantId: tenant, msgId: msg, askMembers: true }
  let problem: CommandError | undefined
  for (const url of node === undefined ? nodesHere(config) : [node]) {
    try {
      return (await askForTrace(url, token, question, peerTimeoutMs + ANSWER_MS)).nodes
    } catch (error) {
      // Of several the first one's: they are all of one kind.
      problem ??= new CommandError('MICS_NODE_UNREACHABLE', problemWith(url, ConnectError.from(error)))
    }
  }
  throw problem ?? new Error('there is no node to ask')
}

/** Where the nodes of this configuration listen: several workers, one of which may be down, at ports in a row. */
function nodesHere ({ host, nodePort, workers }: GatewayConfig): string[] {
  const count = nodePort === 0 ? 1 : workerCount(workers)
  return Array.from({ length: count }, (_, index) => `http://${reachableHost(host)}:${workerNodePort(nodePort, index + 1)}`)
}

function problemWith (url: string, { code, message }: ConnectError): string {
  switch (code) {
    case Code.Unauthenticated:
      return `${url} refuses the token: CLUSTER_GRPC_TOKEN must begin with one that the node has`
    case Code.Unimplemented:
      return `${url} cannot tell: it is no NODE_PORT, or of a release that does not trace messages`
    default:
      return `${url} does not answer (${message}); give the NODE_PORT of a node with --node http://host:8081. ` +
        'A node listens there where it has a CLUSTER_GRPC_TOKEN'
  }
}

/** How far back the nodes know, for whoever asks too late. */
function unknown (tenant: string, msg: string, nodes: readonly NodeTrace[]): string {
  const since = nodes.filter(({ problem }) => problem === '').map(({ nodeId, oldestMs }) => oldestMs === 0n
    ? `${nodeId} knows of no message of this tenant`
    : `${nodeId} knows of this tenant's messages since ${new Date(Number(oldestMs)).toISOString()}`)
  const what = `no node that answered knows a message ${JSON.stringify(msg)} of tenant ${JSON.stringify(tenant)}`
  return [what, ...since.map(line => `  ${line}`)].join('\n')
}

function parseNode (text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new InvalidArgumentError('It takes a URL such as http://10.0.0.11:8081.')
  }
  return text
}
