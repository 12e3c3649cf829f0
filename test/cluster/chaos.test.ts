import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../helpers/free-port.js'
import { RedisServer } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'
import { Load } from './load.js'
import { Random } from './schedule.js'
import { TcpProxy } from './tcp-proxy.js'
import { TestCluster, type ClusterNode } from './test-cluster.js'

/** Milliseconds for which faults happen. */
const DURATION_MS = Number(process.env.CHAOS_SECONDS ?? 60) * 1000

/** Milliseconds that a message may have been in progress when Redis went, and for everything to be registered again. */
const IN_PROGRESS_MS = 2000
const REGISTERED_AGAIN_MS = 5000

/** Milliseconds from the end of a cut until its nodes reach each other again: a breaker's time and a second. */
const REACHED_AGAIN_MS = 6000

/**
 * The same schedule each time, so that a failure points at what was changed; what happens in between is never the same.
 * `CHAOS_SEED=random` looks for faults that nobody knows yet.
 */
const wished = process.env.CHAOS_SEED ?? '11'
const seed = wished === 'random' ? Math.floor(Math.random() * 1e9) : Number(wished)

/** Names of the faults to choose from, all by default. */
const CHOSEN = new RegExp(process.env.CHAOS_FAULTS ?? '')

t.test(`a random schedule of faults (CHAOS_SEED=${seed})`, async t => {
  const random = new Random(seed)
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  const cluster = await TestCluster.start(t, redis.url, {
    nodes: 0,
    // While a node stands still, more than the usual bounds comes for its users.
    env: { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '100000', OFFLINE_BUFFER_MAX_BYTES_PER_USER: '100000000' },
  })
  t.teardown(() => {
    const folder = process.env.CHAOS_LOGS
    if (folder === undefined) return
    for (const { id, process: { child, stdout } } of cluster.nodes) {
      writeFileSync(`${folder}/${id}-${child.pid}.log`, stdout)
    }
  })
  const proxies = new Map<string, TcpProxy>()
  /** When nodes were killed, milliseconds of `performance.now()`. */
  const kills: number[] = []
  for (const id of ['node-1', 'node-2', 'node-3']) await start(id)
  await cluster.settled()
  const load = await Load.start(t, cluster, { users: 10, groupMembers: 8 })
  await load.progress(100)

  async function start (id: string): Promise<void> {
    const port = await freePort()
    const proxy = await TcpProxy.start(() => port)
    t.teardown(async () => await proxy.close())
    proxies.set(id, proxy)
    await cluster.add({ NODE_ID: id, NODE_PORT: String(port), PUBLIC_ENDPOINT: `http://127.0.0.1:${proxy.port}` })
  }

  /** When Redis did not answer, or had lost what was in it and was given it again. */
  const withoutRedis: Array<{ from: number, to: number }> = []
  async function withRedisAway (doing: () => Promise<void>): Promise<void> {
    const from = performance.now()
    await doing()
    withoutRedis.push({ from: from - IN_PROGRESS_MS, to: performance.now() + REGISTERED_AGAIN_MS })
  }

  /** When nodes did not reach one of them, though it and its clients were well. */
  const cuts: Array<{ from: number, to: number }> = []

  const victim = (): ClusterNode => random.pick(cluster.running)
  const faults: Record<string, () => Promise<void>> = {
    async 'a node is told to stop, and comes back' () {
      const node = victim()
      node.process.signal('SIGTERM')
      t.equal(await node.process.ended, 0)
      await start(node.id)
    },
    async 'a node is killed, and comes back' () {
      const node = victim()
      kills.push(performance.now())
      node.process.signal('SIGKILL')
      await node.process.ended
      await delay(random.between(0, 3000))
      await start(node.id)
      // Or else Redis might lose it before anybody could count what was lost.
      await until('what it left is removed', () => burials().some(({ member }) => member === memberKeyOf(node)))
    },
    async 'a node stands still' () {
      const node = victim()
      node.process.signal('SIGSTOP')
      await delay(random.between(200, 5000))
      node.process.signal('SIGCONT')
    },
    async 'Redis is killed, and comes back empty' () {
      await withRedisAway(async () => {
        await redis.kill()
        await delay(random.between(0, 3000))
        await redis.restart()
      })
    },
    async 'Redis stands still' () {
      await withRedisAway(async () => {
        redis.pause()
        await delay(random.between(100, 3000))
        redis.resume()
      })
    },
    async 'the network to a node is cut' () {
      const proxy = proxies.get(victim().id) as TcpProxy
      const from = performance.now()
      proxy.cut()
      await delay(random.between(200, 5000))
      proxy.heal()
      cuts.push({ from, to: performance.now() + REACHED_AGAIN_MS })
    },
    async 'clients lose their network' () {
      for (const client of load.clients) if (random.next() < 0.5) client.drop()
    },
  }

  const names = Object.keys(faults).filter(name => CHOSEN.test(name))
  const over = performance.now() + DURATION_MS
  while (performance.now() < over) {
    const name = random.pick(names)
    const beganAt = performance.now()
    await faults[name]()
    t.comment(`${name}: ${seconds(beganAt)} to ${seconds(performance.now())}`)
    await delay(random.between(0, 2000))
  }
  await cluster.settled()
  await load.progress(100)

  const lost = burials().reduce((sum, { lostMessages }) => sum + Number(lostMessages), 0)
  const { missing, repeated, disordered } = await load.stop({ lost })
  t.comment(`${load.sent} messages, ${kills.length} kills, ${lost} lost with them`)
  const isKnown = (label: string): boolean => !load.isUncertain(label, kills)
  // Without Redis a node knows neither what others have sent, nor who has moved: see docs/cluster.md.
  const isWithRedis = (label: string): boolean =>
    !withoutRedis.some(({ from, to }) => load.wasUnderWay(label, from, to))
  t.strictSame(repeated.filter(isKnown).filter(isWithRedis), [], 'nothing comes twice')
  // What a node keeps for a user whom it cannot reach comes after what has another way: see docs/cluster.md, Order.
  const isInOrder = (label: string): boolean => !load.mayBeOvertaken(label, cuts)
  t.strictSame(disordered.filter(isWithRedis).filter(isInOrder), [], 'everything comes in order')
  const gone = missing.filter(isKnown)
  t.ok(gone.length <= lost, `nothing is missing but what was lost, and counted: ${gone.join(' ')}`)

  // So that a failure can be laid beside the schedule, and the nodes' logs.
  for (const [what, label] of Object.entries({ missing, repeated, disordered })
    .flatMap(([what, labels]) => labels.map(label => [what, label]))) {
    const [msgId] = label.split('>')
    const time = load.clients.map(({ times }) => times.get(msgId)).find(found => found !== undefined)
    t.comment(`${what} ${label}: said ${seconds(time?.said ?? 0)}, acked ${seconds(time?.acked ?? 0)}`)
  }

  /** As a wall clock reads, in seconds of the hour. */
  function seconds (at: number): string {
    return ((performance.timeOrigin + at) / 1000 % 3600).toFixed(3)
  }

  /** What nodes say of members that they have removed. */
  function burials (): Array<Record<string, unknown>> {
    return cluster.nodes.flatMap(({ process }) => process.log).filter(({ lostMessages }) => lostMessages !== undefined)
  }

  /** The name under which it has joined last. */
  function memberKeyOf ({ process }: ClusterNode): unknown {
    return process.log.findLast(({ msg }) => /^(joined the cluster|registering everything again)/.test(String(msg)))?.member
  }
})
