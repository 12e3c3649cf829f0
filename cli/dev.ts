import { networkInterfaces } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { isSet, loadConfig } from '../lib/config/load-config.js'
import { runDevCluster, type DevCluster } from './dev-cluster.js'
import { withListenOptions, type ListenOptions } from './listen-options.js'
import { runServer } from './run-server.js'

const maxNodes = 9

interface DevOptions extends ListenOptions {
  nodes: number
  kafka?: string
}

export function devCommand (): Command {
  return new Command('dev')
    .description('run a gateway with a demo tenant and a chat page: nothing to install, nothing to configure')
    .option('-p, --port <number>', 'port to listen on; 0: any free one (PORT, default 8080)')
    .option('--host <address>', 'address to listen on (HOST, default 0.0.0.0)')
    .option('-n, --nodes <number>', `nodes to run, 1 to ${maxNodes}; each further one listens on the next port`, parseNodes, 1)
    .option('-k, --kafka <host:port>', 'publish events to this Kafka, several brokers separated by commas; default: they stay in memory')
    .addHelpText('after', `
A single node has everything in memory: no Redis, no Kafka. Not for production; that is \`mics start\`.

With --nodes 2 and more it is a cluster, a process a node, and the page connects to them in turn. That takes Redis:
the one that REDIS_URL names, else redis-server where it is installed, started and stopped with the demo, else one
that answers at 127.0.0.1:6379 and has an empty database.

With --kafka topics are created as they are needed; \`mics events tail --tenant demo\` shows what comes.

Examples:
  $ mics dev
  $ mics dev --port 9000
  $ mics dev --nodes 3
  $ mics dev --kafka localhost:9092
  $ LOG_LEVEL=debug mics dev --host 127.0.0.1`)
    .action(async ({ nodes, kafka, ...options }: DevOptions) => {
      const env = withKafka(withListenOptions(process.env, options), kafka)
      if (nodes > 1) await runDevCluster(env, nodes, cluster => process.stdout.write(clusterBanner(cluster)))
      // Many a shell has a REDIS_URL, meant for something else: a single node of the demo needs none.
      else await runAlone({ ...env, REDIS_URL: undefined, REDIS__CONNECTION: undefined })
    })
}

async function runAlone (env: NodeJS.ProcessEnv): Promise<void> {
  const { url, closed } = await runServer(env, { embedded: true })
  const { host } = loadConfig(env, { embedded: true })
  process.stdout.write(`
  MICS is running at ${url}

  Open it in two tabs and chat as two people. There is nothing to install or configure.
  To stop it, press Ctrl-C.
${fromElsewhere(url, host, networkInterfaces()).map(line => `\n  ${line}`).join('')}

`)
  await closed
}

/** Many a shell names a Kafka, meant for something else: the demo uses the one it is told to, or none. */
function withKafka (env: NodeJS.ProcessEnv, brokers: string | undefined): NodeJS.ProcessEnv {
  return {
    ...env,
    KAFKA__BOOTSTRAP_SERVERS: undefined,
    KAFKA_BROKERS: brokers,
    KAFKA_CREATE_TOPICS: isSet(env, 'KAFKA_CREATE_TOPICS') ? env.KAFKA_CREATE_TOPICS : 'true',
  }
}

function clusterBanner ({ nodes, redis, host }: DevCluster): string {
  const [{ url }] = nodes
  return `
  MICS is running as ${nodes.length} nodes

${nodes.map(({ nodeId, url, pid }) => `    ${nodeId}  ${url}  pid ${pid}`).join('\n')}

  Redis: ${redis}

  Open ${url} in two tabs and chat as two people: each tab is on another node.
  Stop a node with kill <pid>, or crash it with kill -9 <pid>: its people move on to the next, and it starts again after a while.
  To stop all of it, press Ctrl-C.
${fromElsewhere(url, host, networkInterfaces()).map(line => `\n  ${line}`).join('')}

`
}

function parseNodes (text: string): number {
  if (!/^[1-9]$/.test(text)) throw new InvalidArgumentError(`It takes a whole number from 1 to ${maxNodes}.`)
  return Number(text)
}

/** What to know where other machines reach the demo, which asks nobody for a password; no lines where they do not. */
export function fromElsewhere (url: string, host: string, interfaces: ReturnType<typeof networkInterfaces>): string[] {
  if (host !== '0.0.0.0' && host !== '::') return []
  const warning = 'Anybody who reaches this port can sign in as anybody; --host 127.0.0.1 keeps it to this machine.'
  const outward = Object.values(interfaces).flat().find(one => one?.family === 'IPv4' && !one.internal)
  if (outward === undefined) return [warning]
  const phone = new URL(url)
  phone.hostname = outward.address
  return [`On your phone: ${phone.origin}`, warning]
}
