import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { freePort, withRedis } from '../helpers/redis-server.js'
import { answersPing, startDemo } from './demo.js'
import { MicsProcess } from './mics-process.js'

/* What keeps `mics dev --nodes` from starting, and how a node starts again. */

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
