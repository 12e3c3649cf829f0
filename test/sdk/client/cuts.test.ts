import t, { type Test } from 'tap'
import { TcpProxy } from '../../cluster/tcp-proxy.js'
import { TestCluster } from '../../cluster/test-cluster.js'
import { RedisServer } from '../../helpers/redis-server.js'
import { SdkClient } from './sdk-client.js'

/** A busy machine must not look like nodes that do not answer: then order does not hold. */
const PATIENT = { REDIS_TIMEOUT_MS: '5000', PEER_TIMEOUT_MS: '5000' }

async function startCluster (t: Test): Promise<TestCluster> {
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  return await TestCluster.start(t, redis.url, { nodes: 2, env: PATIENT })
}

/** A way to each node that can be cut; the urls of all. */
async function proxies (t: Test, cluster: TestCluster): Promise<{ urls: string[], sever: () => void }> {
  const ports = cluster.nodes.map(({ url }) => Number(new URL(url).port))
  const all = await Promise.all(ports.map(async port => await TcpProxy.start(() => port)))
  t.teardown(async () => { for (const proxy of all) await proxy.close() })
  return {
    urls: all.map(({ port }) => `ws://127.0.0.1:${port}`),
    sever: () => { for (const proxy of all) proxy.sever() },
  }
}

/** Two users on two nodes, each with ways of its own to both. */
async function pair (t: Test) {
  const cluster = await startCluster(t)
  const [alices, bobs] = [await proxies(t, cluster), await proxies(t, cluster)]
  const alice = new SdkClient(t, { url: alices.urls, sendTimeoutMs: Infinity })
  const bob = new SdkClient(t, { url: [...bobs.urls].reverse(), token: 'valid:bob' })
  await Promise.all([alice.client.connect(), bob.client.connect()])
  return { alice, bob, alices, bobs }
}

function numbers (count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`)
}

t.test('a thousand messages, the sender cut off and the receiver moving every fifty: all, once, in order', async t => {
  const { alice, bob, alices } = await pair(t)
  const ends = { cuts: 0, moves: 0 }
  alice.client.on('ack', () => {
    if (alice.acks.length % 50 !== 0) return
    ends.cuts++
    alices.sever()
  })
  // In the middle of what comes. A cut there may lose what a broken network had taken: no gateway can know.
  bob.client.on('message', () => {
    if (bob.messages.length % 50 !== 0) return
    ends.moves++
    bob.client.reconnect()
  })
  const acks = await Promise.all(numbers(1000).map(async body => await alice.client.send({ toUserId: 'bob', body })))
  await bob.until(() => bob.messages.length >= 1000)
  t.strictSame(bob.texts, numbers(1000))
  t.strictSame(acks.filter(({ status }) => status !== 'SENT'), [])
  t.ok(ends.cuts >= 20, `${ends.cuts} cuts`)
  t.ok(ends.moves >= 20, `${ends.moves} moves`)
  t.comment(`the gateway knew ${acks.filter(({ reason }) => reason === 'duplicate').length} of what was sent again, bob ${bob.repeats.length}`)
})

t.test('a thousand messages, both cut off every fifty: all, once, in order', async t => {
  const { alice, bob, alices, bobs } = await pair(t)
  const bodies = numbers(1000)
  for (let start = 0; start < 1000; start += 50) {
    const sent = bodies.slice(start, start + 50).map(async body => await alice.client.send({ toUserId: 'bob', body }))
    await alice.until(() => alice.acks.length > start + 10)
    alices.sever()
    await Promise.all(sent)
    await bob.until(() => bob.messages.length >= start + 50)
    const connections = bob.stateNames.filter(name => name === 'connected').length
    bobs.sever()
    // Until the gateway knows, it writes to a connection that nobody reads.
    await bob.until(() => bob.stateNames.filter(name => name === 'connected').length > connections)
  }
  t.strictSame(bob.texts, bodies)
  t.comment(`bob was sent ${bob.repeats.length} twice`)
})
