import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { AckStatus, body, text } from '../helpers/client.js'
import { until } from '../helpers/until.js'
import { MicsProcess } from '../process/mics-process.js'
import { isAlive, linesOf, Workers } from '../process/workers.js'

t.test('clients of one port land on all workers, chat across them, and are drained by one signal', async t => {
  const workers = await Workers.start(t, 2)
  const { mics, url } = workers
  t.strictSame(await (await fetch(`${url}/readyz`)).json(), { status: 'ready' })
  const clients = await workers.connectToEach(url, ['gw-1', 'gw-2'])
  const [one, other] = ['gw-1', 'gw-2'].map(node => clients.get(node) as NonNullable<ReturnType<typeof clients.get>>)
  t.match(await one.client.sendAndAck({ toUserId: other.user, msgBody: body('from one') }), { status: AckStatus.SENT })
  t.match(await other.client.sendAndAck({ toUserId: one.user, msgBody: body('from the other') }), { status: AckStatus.SENT })
  t.strictSame((await other.client.waitMessages(1)).map(text), ['from one'])
  t.strictSame((await one.client.waitMessages(1)).map(text), ['from the other'])

  mics.signal('SIGTERM')
  t.match(await one.client.closed, { code: 4200 })
  t.match(await other.client.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
  t.equal(mics.stderr, '')
  t.strictSame(new Set(linesOf(mics, /^stopped$/).map(({ worker, nodeId }) => `${worker} ${nodeId}`)), new Set(['1 gw-1', '2 gw-2']))
  t.equal(linesOf(mics, /^signal received/).length, 1)
})

t.test('a Ctrl-C, which the terminal gives to every process, drains like a signal to the first one alone', async t => {
  const workers = await Workers.start(t, 2)
  const { mics, pids, url } = workers
  const alice = await workers.connect(url, 'alice')
  for (const pid of [mics.child.pid as number, ...pids]) process.kill(pid, 'SIGINT')
  t.match(await alice.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
})

t.test('a second signal ends all of it at once', async t => {
  const { mics, pids } = await Workers.start(t, 2, { DRAIN_DELAY_SECONDS: '600' })
  mics.signal('SIGTERM')
  await until('both are about to leave', () => linesOf(mics, /^leaving: load balancers/).length === 2)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 1)
  t.same(pids.filter(isAlive), [])
})

t.test('a second signal while the workers start ends all of it at once', async t => {
  // A Redis that takes connections and says nothing: the start waits for it.
  const connected = new Set<Socket>()
  const redis = createServer(socket => { connected.add(socket.on('error', () => {})) }).listen(0, '127.0.0.1')
  await once(redis, 'listening')
  t.teardown(() => {
    redis.close()
    for (const socket of connected) socket.destroy()
  })
  const { mics } = await Workers.launch(t, '2', { REDIS_URL: `127.0.0.1:${(redis.address() as AddressInfo).port}` })
  await until('a worker waits for Redis', () => connected.size > 0)
  mics.signal('SIGTERM')
  await mics.prints(/"signal received: draining/)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 1)
  t.match(linesOf(mics, /^a worker has not ended as it should/), [{ how: 'exit code 1' }, { how: 'exit code 1' }])
  t.same(linesOf(mics, /^a worker has not ended/).filter(line => 'problem' in line), [], 'none has waited for Redis')
})

t.test('a worker that crashes while it drains is told of, and the exit code is 1', async t => {
  const { mics, pids } = await Workers.start(t, 2, { DRAIN_DELAY_SECONDS: '8' })
  mics.signal('SIGTERM')
  await until('both are about to leave', () => linesOf(mics, /^leaving: load balancers/).length === 2)
  process.kill(pids[1], 'SIGKILL')
  t.equal(await mics.ended, 1)
  t.match(linesOf(mics, /^a worker has not ended as it should/), [{ level: 50, worker: 2, pid: pids[1], how: 'SIGKILL' }])
  t.match(linesOf(mics, /^stopped$/), [{ worker: 1 }], 'the other has drained')
  t.same(linesOf(mics, /starts again/), [])
})

t.test('a signal before the workers listen ends all of it', async t => {
  const { mics } = await Workers.launch(t, '2')
  await mics.prints(/"joined the cluster"/)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.equal(mics.stderr, '')
})

t.test('a worker that is killed comes back, and its clients meanwhile find another', async t => {
  const workers = await Workers.start(t, 2)
  const { mics, pids, url } = workers
  const before = await workers.connectToEach(url, ['gw-1', 'gw-2'])
  process.kill(pids[1], 'SIGKILL')
  await before.get('gw-2')?.client.closed
  t.equal((await fetch(`${url}/readyz`)).status, 200, 'the others go on')
  await workers.connect(url, 'meanwhile')
  await mics.prints(/"a worker is back"/)
  t.match(linesOf(mics, /^a worker has ended and starts again/), [{ level: 50, worker: 2, pid: pids[1], how: 'SIGKILL', restartMs: 1000 }])
  const after = await workers.connectToEach(url, ['gw-2'])
  t.match(await after.get('gw-2')?.client.sendAndAck({ toUserId: before.get('gw-1')?.user, msgBody: body('back') }), { status: AckStatus.SENT })
  t.equal((await before.get('gw-1')?.client.waitMessages(1))?.map(text)[0], 'back', 'those of the other worker are still there')
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
})

t.test('a connection that a worker had not taken before its end is closed, so that its client comes again', async t => {
  const { mics, pids, url } = await Workers.start(t, 2)
  process.kill(pids[1], 'SIGSTOP')
  const answers: string[] = []
  const asked = Array.from({ length: 4 }, async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.on('data', data => answers.push(String(data)))
    socket.write('GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n')
    await new Promise(resolve => socket.on('close', resolve))
  })
  await until('one of them is with the worker that stands still', () => answers.length === 3)
  process.kill(pids[1], 'SIGKILL')
  await Promise.race(asked)
  t.equal(answers.length, 3)
  await mics.prints(/"a worker is back"/)
})

t.test('workers whose primary is killed drain and end', async t => {
  const workers = await Workers.start(t, 2)
  const { mics, pids, url } = workers
  const clients = await workers.connectToEach(url, ['gw-1', 'gw-2'])
  mics.signal('SIGKILL')
  for (const { client } of clients.values()) t.match(await client.closed, { code: 4200 })
  await until('no process is left', () => !pids.some(isAlive))
  t.equal(await mics.ended, 'SIGKILL')
})

t.test('one worker is a process like any other', async t => {
  const { mics } = await Workers.launch(t, '1')
  const url = await mics.url()
  t.notMatch(await (await fetch(`${url}/metrics`)).text(), /worker/)
  t.match(await (await fetch(`${url}/metrics`)).text(), /node="gw"/)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.same(mics.log.filter(line => 'worker' in line), [])
})

t.test('workers without Redis do not start, and say what they need', async t => {
  const mics = MicsProcess.start(t, ['start', '--workers', '2'], { TENANT_AUTH_MAP: 't1=http://127.0.0.1:1' })
  t.equal(await mics.ended, 2)
  t.match(mics.stderr, /WORKERS: 2 workers are as many nodes .* Redis; set REDIS_URL and CLUSTER_GRPC_TOKEN, or unset WORKERS/)
  t.equal(mics.stdout, '')
})

for (const workers of ['0', 'x', '-1', '1.5', '129']) {
  t.test(`--workers ${workers} is refused`, async t => {
    const mics = MicsProcess.start(t, ['start', '--workers', workers], { TENANT_AUTH_MAP: 't1=http://127.0.0.1:1' })
    t.equal(await mics.ended, 2)
    t.match(mics.stderr, /WORKERS: is no number of processes; it takes a whole number from 1 to 128, or auto/)
  })
}
