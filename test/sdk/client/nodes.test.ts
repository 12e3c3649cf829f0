import t from 'tap'
import { TestCluster } from '../../cluster/test-cluster.js'
import { RedisServer } from '../../helpers/redis-server.js'
import { SdkClient, wsUrl } from './sdk-client.js'

/** A busy machine must not look like nodes that do not answer: then order does not hold. */
const PATIENT = { REDIS_TIMEOUT_MS: '5000', PEER_TIMEOUT_MS: '5000' }

t.test('clients of a cluster whose nodes come and go', async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  const cluster = await TestCluster.start(t, redis.url, { nodes: 2, env: PATIENT })
  const urls = (): string[] => cluster.urls().map(wsUrl)
  let next = 0
  const bob = new SdkClient(t, { url: () => urls()[next++ % urls().length], token: 'valid:bob' })
  const alice = new SdkClient(t, { url: () => urls()[next++ % urls().length], sendTimeoutMs: Infinity })
  await bob.client.connect()
  await alice.client.connect()
  const nodeOf = (client: SdkClient): string => {
    const { state } = client.client
    return state.name === 'connected' ? state.nodeId : ''
  }

  await t.test('a node that shuts down: its clients go on with another, and nothing is lost', async t => {
    const leaving = cluster.nodes.find(({ id }) => id === nodeOf(alice))
    const bodies = Array.from({ length: 200 }, (_, i) => `${i}`)
    leaving?.process.signal('SIGTERM')
    await Promise.all(bodies.map(async body => await alice.client.send({ toUserId: 'bob', body })))
    await bob.until(() => bob.messages.length >= 200)
    t.strictSame(bob.texts, bodies)
    await alice.until(() => alice.stateNames.includes('waiting') && alice.client.state.name === 'connected')
    t.match(alice.states.find(({ name }) => name === 'waiting'), { code: 4200 })
    t.notMatch(nodeOf(alice), leaving?.id)
    await leaving?.process.ended
  })

  await t.test('a node that dies: its clients come back to another, and send what had no answer', async t => {
    await cluster.add()
    await cluster.settled()
    const before = nodeOf(bob)
    const dying = cluster.nodes.find(({ id }) => id === before)
    dying?.process.signal('SIGKILL')
    await dying?.process.ended
    await bob.until(() => bob.client.state.name === 'connected' && nodeOf(bob) !== before)
    await alice.until(() => alice.client.state.name === 'connected' && nodeOf(alice) !== before)
    t.match(bob.states.filter(({ name }) => name === 'waiting').at(-1), { code: 1006 })
    await alice.client.send({ toUserId: 'bob', body: 'still there?' })
    await bob.until(() => bob.texts.includes('still there?'))
    t.match(await bob.client.send({ toUserId: 'alice', body: 'yes' }), { status: 'SENT' })
    await alice.until(() => alice.texts.includes('yes'))
  })
})
