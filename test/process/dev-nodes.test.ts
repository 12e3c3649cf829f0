import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freePort, withRedis } from '../helpers/redis-server.js'
import { connectPatiently, MicsProcess } from './mics-process.js'

/*
 * `mics dev --nodes`, with what it starts. Its nodes write to the same pipes as itself: `ended` resolves only when they
 * are gone too.
 */

interface Demo {
  mics: MicsProcess
  nodes: { nodeId: string, url: string, pid: number }[]
  redis: string
}

async function startDemo (t: Test, count: number, env: NodeJS.ProcessEnv = {}): Promise<Demo> {
  const mics = MicsProcess.start(t, ['dev', '--nodes', String(count)], env)
  await mics.prints(/press Ctrl-C/)
  const nodes = [...mics.stdout.matchAll(/(node-\d) +(http:\S+) +pid (\d+)/g)]
    .map(([, nodeId, url, pid]) => ({ nodeId, url, pid: Number(pid) }))
  const [, redis] = await mics.prints(/Redis: (.*)/)
  return { mics, nodes, redis }
}

async function answersPing (url: string): Promise<boolean> {
  const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {}) // ping rejects with it
  const answered = await client.ping().then(() => true, () => false)
  client.disconnect()
  return answered
}

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

t.test('a node that is killed starts again where it was; a Redis that was given stays', async t => {
  const given = await withRedis(t)
  const { mics, nodes: [, second], redis } = await startDemo(t, 2, { REDIS_URL: given.url })
  t.equal(redis, `${given.url}, as configured`)
  process.kill(second.pid, 'SIGKILL')
  await mics.prints(/node-2 has ended \(SIGKILL\) and starts again in 10 s/)
  const [, pid] = await mics.prints(/node-2 is back, pid (\d+)/)
  t.not(Number(pid), second.pid)
  t.match(await (await fetch(`${second.url}/nodes.json`)).json(), { nodes: [{ nodeId: 'node-1' }, { nodeId: 'node-2' }] })
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.ok(await answersPing(given.url))
})

t.test('where one of the ports is in use none stays, and the port is named', async t => {
  const port = await freePort()
  const taken = createServer().listen(port + 1, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const mics = MicsProcess.start(t, ['dev', '--nodes', '2', '--port', String(port)])
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, `port ${port + 1} is in use by another process`)
  t.notMatch(mics.stdout, 'MICS is running')
})

t.test('nodes beyond the last port are refused', async t => {
  const mics = MicsProcess.start(t, ['dev', '--nodes', '3', '--port', '65534'])
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, /^3 nodes take the ports 65534 to 65536, .*--port\n$/)
})

t.test('a configuration that cannot be used is told once', async t => {
  const mics = MicsProcess.start(t, ['dev', '--nodes', '3'], { MAX_MESSAGE_BYTES: 'much' })
  t.equal(await mics.ended, 2)
  t.equal(mics.stderr.match(/MAX_MESSAGE_BYTES/g)?.length, 1)
})
