import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import t from 'tap'
import { freePort, portsInARow } from '../helpers/free-port.js'
import { isAlive, linesOf, Workers } from '../process/workers.js'

async function take (port: number): Promise<() => Promise<void>> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return async () => { await once(server.close(), 'close') }
}

t.test('a port for peers that is taken is named before anything starts, and the range with it', async t => {
  const [first] = await portsInARow(2)
  t.teardown(await take(first + 1))
  const { mics } = await Workers.launch(t, '2', { NODE_PORT: String(first) })
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, new RegExp(`^port ${first + 1} is in use .* 2 workers take the ports ${first} to ${first + 1} for their peers; .*NODE_PORT\n$`))
  t.equal(mics.stdout, '')
})

t.test('a port for clients that is taken is named once', async t => {
  const port = await freePort()
  t.teardown(await take(port))
  const { mics } = await Workers.launch(t, '2', { PORT: String(port) })
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, new RegExp(`^port ${port} is in use by another process; .*PORT or --port\n$`))
})

t.test('a tenants file that cannot be used is told once', async t => {
  const path = t.testdir({ 'tenants.yaml': 'tenants: { acme: {} }' })
  const { mics } = await Workers.launch(t, '2', { TENANT_AUTH_MAP: '', TENANTS_FILE: `${path}/tenants.yaml` })
  t.equal(await mics.ended, 2)
  t.equal(mics.stderr.match(/authUrl: is missing/g)?.length, 1)
})

t.test('what keeps every worker from starting is told once, and ends all of it', async t => {
  const { mics } = await Workers.launch(t, '3', { REDIS_URL: '127.0.0.1:1' })
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, /Redis/)
  t.equal(mics.stderr.trim().split('\n').length, 1)
  t.notMatch(mics.stdout, /Server listening/)
})

t.test('a worker that cannot come back says why, and tries again until it can', async t => {
  const folder = t.testdir({})
  const path = `${folder}/tenants.yaml`
  const good = 'tenants: { t1: { authUrl: "http://127.0.0.1:1" } }'
  writeFileSync(path, good)
  const { mics, pids, url } = await Workers.start(t, 2, { TENANT_AUTH_MAP: '', TENANTS_FILE: path })
  writeFileSync(path, 'tenants: { t1: {} }')
  process.kill(pids[1], 'SIGKILL')
  await mics.prints(/"a worker cannot start/)
  t.match(linesOf(mics, /^a worker cannot start/)[0], {
    level: 50, worker: 2, how: 'exit code 2', restartMs: 2000, problem: /tenants\.t1\.authUrl: is missing/,
  })
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  writeFileSync(path, good)
  await mics.prints(/"a worker is back"/)
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  t.same(pids.filter(isAlive), [])
})

t.test('peers reach the workers at ports that follow PUBLIC_ENDPOINT', async t => {
  const [first] = await portsInARow(2)
  const { mics } = await Workers.start(t, 2, { NODE_PORT: String(first), PUBLIC_ENDPOINT: `http://localhost:${first}` })
  t.same(new Set(linesOf(mics, /^joined the cluster/).map(({ worker, endpoint }) => `${worker} ${endpoint}`)),
    new Set([`1 http://localhost:${first}`, `2 http://localhost:${first + 1}`]))
})
