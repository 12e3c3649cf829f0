import { once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import { answersPing, startDemo } from './demo.js'
import { connectPatiently } from './mics-process.js'

/*
 * The end of `mics dev --nodes`. Its nodes write to the same pipes as itself: `ended` resolves only when they are gone
 * too.
 */

t.test('all nodes listen and know of each other; Ctrl-C drains them, and ends what was started with them', async t => {
  const { mics, nodes, redis } = await startDemo(t, 3)
  t.same(nodes.map(({ nodeId }) => nodeId), ['node-1', 'node-2', 'node-3'])
  t.match(redis, /^started for this demo at 127\.0\.0\.1:\d+, pid \d+$/)
  const known = nodes.map(({ nodeId, url }) => ({ nodeId, port: Number(new URL(url).port) }))
  const clients = await Promise.all(nodes.map(async ({ nodeId, url }, index) => {
    t.same(await (await fetch(`${url}/nodes.json`)).json(), { nodes: known, first: index })
    await mics.prints(new RegExp(`${nodeId}: Server listening`))
    const client = await connectPatiently(t, url, { token: 'valid:alice', tenantId: 'demo', deviceId: nodeId })
    t.equal((await client.connectAck()).nodeId, nodeId)
    return client
  }))

  mics.signal('SIGINT')
  for (const client of clients) t.match(await client.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
  const [redisPid] = /\d+$/.exec(redis) ?? []
  for (const pid of [...nodes.map(({ pid }) => pid), Number(redisPid)]) {
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  }
})

t.test('a second signal ends all of it at once', async t => {
  const { mics, nodes } = await startDemo(t, 2, { DRAIN_DELAY_SECONDS: '600' })
  mics.signal('SIGINT')
  for (const { nodeId } of nodes) await mics.prints(new RegExp(`${nodeId}: signal received`))
  mics.signal('SIGINT')
  t.equal(await mics.ended, 1)
})

t.test('when it is killed itself, nodes and redis-server end too', async t => {
  const { mics, redis } = await startDemo(t, 2)
  const [, address] = /at (\S+),/.exec(redis) ?? []
  t.ok(await answersPing(`redis://${address}`))
  const client = new Redis(`redis://${address}`)
  await client.ping()
  client.options.retryStrategy = () => null
  const gone = once(client, 'end')
  mics.signal('SIGKILL')
  t.equal(await mics.ended, 'SIGKILL')
  await gone
  t.notOk(await answersPing(`redis://${address}`))
})
