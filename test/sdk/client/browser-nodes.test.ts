import t from 'tap'
import { TestCluster } from '../../cluster/test-cluster.js'
import { RedisServer } from '../../helpers/redis-server.js'
import { Tabs, type Tab } from './browser-tab.js'
import { wsUrl } from './sdk-client.js'

/** A busy machine must not look like nodes that do not answer: then order does not hold. */
const PATIENT = { REDIS_TIMEOUT_MS: '5000', PEER_TIMEOUT_MS: '5000' }

t.test('pages of a cluster whose nodes come and go', async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  const cluster = await TestCluster.start(t, redis.url, { nodes: 2, env: PATIENT })
  const tabs = await Tabs.start(t)
  let turn = 0
  const url = (): string => wsUrl(cluster.urls()[turn++ % cluster.urls().length])
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', sendTimeoutMs: 600_000 })
  const bob = await tabs.open({ url, token: () => 'valid:bob', deviceId: 'd1', sendTimeoutMs: 600_000 })
  await alice.connect()
  await bob.connect()
  const nodeOf = (tab: Tab) => cluster.nodes.find(({ id }) => id === tab.nodeId)

  await t.test('a node that shuts down: its page goes on with another, and nothing is lost', async t => {
    const leaving = nodeOf(alice)
    const bodies = Array.from({ length: 100 }, (_, i) => `${i}`)
    leaving?.process.signal('SIGTERM')
    const answers = await Promise.all(bodies.map(async body => await alice.send({ toUserId: 'bob', body })))
    t.strictSame(answers.filter(({ status }) => status !== 'SENT'), [])
    await bob.until(() => bob.messages.length >= 100)
    t.strictSame(bob.texts, bodies)
    await alice.until(() => alice.times('connected') > 1 && alice.nodeId !== leaving?.id && alice.nodeId !== '')
    t.match(alice.states.find(({ name }) => name === 'waiting'), { code: 4200 })
    await leaving?.process.ended
  })

  await t.test('a node that dies: its pages come back to another, and what had no answer is sent', async t => {
    await cluster.add()
    await cluster.settled()
    const dying = nodeOf(bob)
    const fromDying = [alice, bob].filter(tab => nodeOf(tab) === dying)
    dying?.process.signal('SIGKILL')
    const answers = fromDying.map(async tab => await tab.send({ toUserId: 'carol', body: 'still there?' }))
    for (const tab of fromDying) {
      await tab.until(() => tab.nodeId !== dying?.id && tab.nodeId !== '')
      t.match(tab.states.filter(({ name }) => name === 'waiting').at(-1), { code: 1006 })
    }
    for (const answer of answers) t.match(await answer, { status: 'SENT' })
    t.match(await alice.send({ toUserId: 'bob', body: 'and we?' }), { status: 'SENT' })
    await bob.until(() => bob.texts.includes('and we?'))
  })
})
