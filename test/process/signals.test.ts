import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { AckStatus, body, TestClient, text } from '../helpers/client.js'
import { freePort } from '../helpers/free-port.js'
import { HookServer } from '../helpers/hook-server.js'
import { connectPatiently, MicsProcess } from './mics-process.js'

async function startHooks (t: Test): Promise<{ hooks: HookServer, env: NodeJS.ProcessEnv }> {
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  return { hooks, env: { TENANT_AUTH_MAP: `t1=${hooks.url}` } }
}

function connect (t: Test, url: string, user: string): Promise<TestClient> {
  return connectPatiently(t, url, { token: `valid:${user}` })
}

t.test('start without a configuration exits 2 and names the variables', async t => {
  const mics = MicsProcess.start(t, ['start'])
  t.equal(await mics.ended, 2)
  t.match(mics.stderr, /TENANT_AUTH_MAP/)
  t.match(mics.stderr, /TENANTS_FILE/)
  t.equal(mics.stdout, '')
})

t.test('start on a port in use exits 1 and names PORT', async t => {
  const { env } = await startHooks(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const mics = MicsProcess.start(t, ['start'], { ...env, PORT: String(port) })
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, new RegExp(`port ${port} is in use .*PORT`))
})

t.test('start with a tenants file that cannot be used exits 2 and says why', async t => {
  const path = t.testdir({ 'tenants.yaml': 'tenants: { acme: {} }' })
  const mics = MicsProcess.start(t, ['start'], { TENANTS_FILE: `${path}/tenants.yaml` })
  t.equal(await mics.ended, 2)
  t.match(mics.stderr, /tenants\.acme\.authUrl: is missing/)
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} drains: clients get 4200, what is in flight is delivered, and the process exits 0`, async t => {
    const { hooks, env } = await startHooks(t)
    const mics = MicsProcess.start(t, ['start'], { ...env, DRAIN_TIMEOUT_SECONDS: '2' })
    const url = await mics.url()
    const alice = await connect(t, url, 'alice')
    const bob = await connect(t, url, 'bob')
    hooks.check = async () => {
      mics.signal(signal)
      await mics.prints(/"draining"/)
      return { allow: true }
    }
    alice.send({ toUserId: 'bob', msgBody: body('last words') })
    t.match(await alice.closed, { code: 4200 })
    t.match(await bob.closed, { code: 4200 })
    t.match(alice.acks, [{ status: AckStatus.SENT }])
    t.strictSame(bob.messages.map(text), ['last words'])
    t.equal(await mics.ended, 0)
    const told = ['signal received: draining; a second signal ends at once', 'draining', 'closing connections', 'stopped']
    t.strictSame(mics.log.map(({ msg }) => msg as string).filter(msg => told.includes(msg)), told, 'in this order')
    t.equal(mics.stderr, '')
  })
}

t.test('with DRAIN_DELAY_SECONDS it is not ready and takes clients all the same, until that time is over', async t => {
  const { env } = await startHooks(t)
  const mics = MicsProcess.start(t, ['start'], { ...env, DRAIN_DELAY_SECONDS: '8', DRAIN_TIMEOUT_SECONDS: '1' })
  const url = await mics.url()
  const alice = await connect(t, url, 'alice')
  mics.signal('SIGTERM')
  await mics.prints(/"leaving: load balancers may notice"/)
  t.equal((await fetch(`${url}/readyz`)).status, 503)
  const bob = await connect(t, url, 'bob')
  t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('still here') }), { status: AckStatus.SENT })
  t.strictSame((await alice.waitMessages(1)).map(text), ['still here'])
  t.match(await alice.closed, { code: 4200 })
  t.match(await bob.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
})

t.test('a second signal ends the process at once', async t => {
  const { env } = await startHooks(t)
  const mics = MicsProcess.start(t, ['start'], { ...env, DRAIN_TIMEOUT_SECONDS: '600', HANDSHAKE_MAX_PER_SECOND: '10000' })
  const url = await mics.url()
  const clients: TestClient[] = []
  // More than one batch: the second is not closed for minutes.
  for (let i = 0; i < 120; i += 20) {
    clients.push(...await Promise.all(Array.from({ length: 20 }, (_, j) => connect(t, url, `user${i + j}`))))
  }
  mics.signal('SIGTERM')
  t.match(await Promise.race(clients.map(client => client.closed)), { code: 4200 })
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 1)
  const ends = await Promise.all(clients.map(client => client.closed))
  t.ok(ends.some(({ code }) => code !== 4200), 'it had not finished')
  t.match(mics.log.at(-1)?.msg, /second signal/)
})

t.test('without Redis start says once that it is alone', async t => {
  const { env } = await startHooks(t)
  const mics = MicsProcess.start(t, ['start'], env)
  const url = await mics.url()
  await (await connect(t, url, 'alice')).roundTrip()
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.equal(mics.stdout.match(/REDIS_URL/g)?.length, 1)
  t.equal(mics.log.filter(({ msg }) => String(msg).includes('this node is alone')).length, 1)
})

t.test('with a Kafka that does not answer start serves all the same, says so once, and ends in time', async t => {
  const { env } = await startHooks(t)
  const brokers = `127.0.0.1:${await freePort()}`
  const mics = MicsProcess.start(t, ['start'], { ...env, KAFKA_BROKERS: brokers, KAFKA_FLUSH_SECONDS: '0' })
  const url = await mics.url()
  await (await connect(t, url, 'alice')).roundTrip()
  await mics.prints(/Kafka does not answer/)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.match(mics.log.filter(({ msg }) => String(msg).includes('Kafka')), [{ level: 40, msg: 'Kafka does not answer: events wait' }])
  t.match(mics.log.filter(({ msg }) => String(msg).includes('end with this process')), [{ level: 40, tenantId: 't1', events: 2 }])
})

t.test('start serves no demo', async t => {
  const { env } = await startHooks(t)
  const mics = MicsProcess.start(t, ['start'], env)
  const url = await mics.url()
  t.equal((await fetch(url)).status, 404)
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  const client = TestClient.open(url, { tenantId: 'demo' })
  t.match(await client.closed, { code: 4002 })
})

t.test('dev prints where it is, serves the page, lets people in, and ends on Ctrl-C', async t => {
  const mics = MicsProcess.start(t, ['dev'])
  const url = (await mics.prints(/MICS is running at (http:\S+)/))[1]
  const page = await fetch(url)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /^text\/html/)
  t.match(await page.text(), /<html/i)
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  const alice = await connectPatiently(t, url, { token: 'valid:alice', tenantId: 'demo' })
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hi') }), { status: AckStatus.SENT })
  mics.signal('SIGINT')
  t.match(await alice.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
  t.notMatch(mics.stdout, /Anybody/, 'nobody else reaches a loopback address')
})

t.test('dev alone does not look at a Redis that is meant for something else', async t => {
  const mics = MicsProcess.start(t, ['dev'], { REDIS_URL: 'redis.example:6379' })
  await mics.prints(/MICS is running at/)
  mics.signal('SIGINT')
  t.equal(await mics.ended, 0)
})

t.test('dev on every address says that anybody gets in', async t => {
  const mics = MicsProcess.start(t, ['dev', '--host', '0.0.0.0'])
  await mics.prints(/Anybody who reaches this port can sign in as anybody; --host 127\.0\.0\.1 keeps it to this machine\./)
  mics.signal('SIGINT')
  t.equal(await mics.ended, 0)
})
