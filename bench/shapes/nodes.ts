import { freePort, RedisServer } from '../../test/helpers/redis-server.js'
import { findRedis } from '../../scripts/find-redis.js'
import { Core, pin } from '../cores.js'
import type { Latency } from '../generator/orders.js'
import { figure } from '../report/numbers.js'
import type { Result } from '../report/result.js'
import type { Contestant, Stage } from '../stage.js'
import { median } from '../statistics.js'
import { closedLoop, type Run } from './closed-loop.js'
import { connectPairs, type Pairs } from './pairs.js'
import { NotPossibleError, type Shape } from './shape.js'

const BODY_BYTES = 128
/**
 * One conversation has one message at a time on its way to another node, so that its order holds: it takes many for a
 * load under which messages share what a batch costs.
 */
const PAIRS = 200
const WINDOW = 8
/** Messages a second for latency: far below what two gateways do that may share a core. */
const CALM_RATE = 1000

const NO_REDIS = 'no redis-server was found: run `node scripts/install-redis.js`, or set REDIS_SERVER_PATH'

interface Round {
  within: Run
  /** Each recipient has two devices. */
  twice: Run
  across: Run
  withinLatency: Latency
  acrossLatency: Latency
}

export const nodes: Shape = {
  name: 'nodes',
  title: 'messages from one node of a cluster to another',
  isLong: true,
  run: async (stage, effort) => {
    const { path, problem } = findRedis()
    if (path === undefined) throw new NotPossibleError(problem ?? NO_REDIS)
    const redis = await RedisServer.start()
    try {
      pin(Core.LOAD, redis.pid)
      const [a, b] = [await node(stage, redis, 'a', Core.SERVER), await node(stage, redis, 'b', Core.SECOND_SERVER)]
      const generator = await stage.generator()
      const within = await connectPairs(generator, a, { count: PAIRS })
      const across = await connectPairs(generator, a, { count: PAIRS, to: b })
      const twice = await connectPairs(generator, a, { count: PAIRS })
      // Their second devices, so that a delivery more is what a message costs more.
      await generator.ask('open', {
        crowd: 'second-devices', place: { ...a.place, deviceId: 'second' }, users: twice.to, count: PAIRS,
      })
      const use = async (pairs: Pairs): Promise<Run> => (
        await closedLoop(generator, a, pairs.load(WINDOW, BODY_BYTES), effort, [b.pid])
      )
      const time = async (pairs: Pairs): Promise<Latency> => await generator.ask('steadyRate', {
        chat: pairs.load(1, BODY_BYTES).chat, perSecond: CALM_RATE, seconds: effort.seconds,
      })
      const calm = async (): Promise<Pick<Round, 'withinLatency' | 'acrossLatency'>> => {
        pin(Core.SECOND_SERVER, b.pid)
        return { withinLatency: await time(within), acrossLatency: await time(across) }
      }
      const rounds: Round[] = []
      for (let round = 0; round < effort.rounds; round++) {
        // Under load two servers on one core would take turns message by message, which no two machines do.
        pin(Core.BUSY_SECOND_SERVER, b.pid)
        rounds.push({
          within: await use(within),
          twice: await use(twice),
          across: await use(across),
          ...await calm(),
        })
      }
      return { results: [...latencyLines(rounds), ...cpuLines(rounds)] }
    } finally {
      await redis.close()
    }
  },
}

async function node (stage: Stage, redis: RedisServer, nodeId: string, core: number): Promise<Contestant> {
  const port = await freePort()
  return await stage.gateway({
    name: nodeId,
    core,
    env: {
      NODE_ID: nodeId,
      NODE_PORT: String(port),
      PUBLIC_ENDPOINT: `http://127.0.0.1:${port}`,
      REDIS_URL: redis.url,
      CLUSTER_GRPC_TOKEN: 'bench',
    },
  })
}

function latencyLines (rounds: readonly Round[]): Result[] {
  return (['p50', 'p99'] as const).map(part => ({
    shape: 'nodes',
    name: `ack ${part} at ${CALM_RATE.toLocaleString('en')} messages/s`,
    unit: 'ms',
    subject: { name: 'two nodes', values: rounds.map(({ acrossLatency }) => acrossLatency[part]) },
    base: { name: 'one node', values: rounds.map(({ withinLatency }) => withinLatency[part]) },
  }))
}

/**
 * What crossing adds on each side. A message within a node is taken in, delivered and acked by that node; to a second
 * device it is delivered once more, and the difference is what a delivery costs. The sender's side of a crossing is
 * compared with a message without its delivery, the recipient's side with a delivery alone.
 */
function cpuLines (rounds: readonly Round[]): Result[] {
  const added = rounds.map(({ within, twice, across }) => {
    const delivery = Math.max(0, twice.cpuUs - within.cpuUs)
    return { sender: across.cpuUs - (within.cpuUs - delivery), recipient: across.otherCpuUs[0] - delivery }
  })
  const [one, sender, recipient] = [
    median(rounds.map(({ within }) => within.cpuUs)),
    median(rounds.map(({ across }) => across.cpuUs)),
    median(rounds.map(({ across }) => across.otherCpuUs[0])),
  ]
  const rate = (run: 'within' | 'across'): string => figure(median(rounds.map(round => round[run].perSecond)))
  return (['sender', 'recipient'] as const).map(side => ({
    shape: 'nodes',
    name: `crossing adds, ${side}’s node`,
    unit: 'µs of CPU a message',
    subject: { name: 'two nodes', values: added.map(sides => sides[side]) },
    target: { of: 'value', atMost: 10 },
    note: side === 'sender'
      ? `one node alone ${one.toFixed(1)} µs, at ${rate('within')} messages/s; ` +
        `two nodes ${sender.toFixed(1)} µs and ${recipient.toFixed(1)} µs, at ${rate('across')}`
      : undefined,
  }))
}
