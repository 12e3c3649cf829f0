import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { RedisLink, RedisUnavailableError } from '../../lib/redis/redis-link.js'
import { connectLink, eventsOf } from '../helpers/redis-link.js'
import { freePort, withRedis } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'

const unavailable = { name: 'RedisUnavailableError', code: 'MICS_REDIS_UNAVAILABLE' }

t.test('commands are run, and those of one turn share a write', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  t.equal(link.isUp, true)
  t.equal(link.downSince, undefined)
  const before = await reads()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => link.run('test', async redis => await redis.set(`key${i}`, i))))
  t.strictSame(answers, Array(50).fill('OK'))
  t.ok(await reads() - before < 10, 'fifty commands arrived in a few pieces')
  t.equal(await link.run('test', async redis => await redis.get('key7')), '7')
  t.equal(link.inFlight, 0)
  t.equal(link.failures.size, 0)

  async function reads (): Promise<number> {
    const stats = await link.run('test', async redis => await redis.info('stats'))
    return Number(/total_reads_processed:(\d+)/.exec(stats)?.[1])
  }
})

t.test('an error that Redis answered with is passed on, counted, and takes nothing down', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  await link.run('test', async redis => await redis.set('text', 'x'))
  await t.rejects(link.run('test', async redis => await redis.incr('text')), { name: 'ReplyError', message: /not an integer/ })
  await t.rejects(link.run('other', async () => { throw new TypeError('ours') }), { name: 'TypeError', message: 'ours' })
  t.strictSame([...link.failures], [['test', 1], ['other', 1]])
  t.equal(link.isUp, true)
})

t.test('a killed Redis takes the link down, calls fail at once, and its return is noticed with all being gone', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const events = eventsOf(link)
  await link.run('test', async redis => await redis.set('key', 'x'))

  server.pause()
  const waiting = link.run('routes', async redis => await redis.get('key'))
  t.equal(link.inFlight, 1)
  await Promise.all([t.rejects(waiting, unavailable, 'what was under way fails when the connection breaks'), server.kill()])
  t.equal(link.isUp, false)
  t.type(link.downSince, 'number')
  await t.rejects(link.run('routes', async () => { t.fail('nothing is sent') }), {
    ...unavailable, message: 'Redis is not available for routes: check that it runs and that REDIS_URL is right',
  })
  t.strictSame(events, ['down'])

  const restarted = once(link, 'restarted')
  await server.restart()
  await restarted
  t.equal(link.isUp, true)
  t.equal(link.downSince, undefined)
  t.strictSame(events, ['down', 'up', 'restarted'])
  t.equal(await link.run('test', async redis => await redis.get('key')), null)
  t.strictSame([...link.failures], [['routes', 2]])
})

t.test('a connection that broke on its own is no restart', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const other = await connectLink(t, server.url)
  const events = eventsOf(link)
  const up = once(link, 'up')
  await other.run('test', async redis => await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'))
  await up
  await link.run('test', async redis => await redis.ping())
  t.strictSame(events, ['down', 'up'])
})

t.test('a Redis that hangs takes the link down, with calls or without, until it answers again', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { timeoutMs: 500, probeIntervalMs: 60_000 })
  const events = eventsOf(link)
  for (const round of [1, 2]) {
    server.pause()
    const calls = [1, 2, 3].map(() => link.run('test', async redis => await redis.ping()))
    for (const call of calls) await t.rejects(call, unavailable, `round ${round}`)
    t.equal(link.isUp, false)
    const up = once(link, 'up')
    server.resume()
    await up
    t.equal(await link.run('test', async redis => await redis.ping()), 'PONG')
  }
  t.strictSame(events, ['down', 'up', 'down', 'up'], 'the process is the same')

  const idle = await connectLink(t, server.url, { timeoutMs: 500, probeIntervalMs: 50 })
  server.pause()
  await once(idle, 'down')
  server.resume()
  await once(idle, 'up')
})

t.test('when one call times out, those behind it do not wait any longer', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { timeoutMs: 1000, probeIntervalMs: 60_000 })
  server.pause()
  const first = link.run('test', async redis => await redis.ping())
  await delay(100)
  // Due later by its own time. ioredis would send it when it has the answer to the first.
  const second = link.run('test', async redis => await redis.ping())
  await t.rejects(first, unavailable)
  t.equal(link.inFlight, 0)
  await t.rejects(second, unavailable)
  server.resume()
})

t.test('many calls that time out together end the connection once', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { timeoutMs: 300, probeIntervalMs: 60_000 })
  const events = eventsOf(link)
  // What Node says when eleven wait for the end of one connection.
  const warnings: string[] = []
  const listen = (warning: Error): void => { warnings.push(warning.message) }
  process.on('warning', listen)
  t.teardown(() => process.off('warning', listen))
  server.pause()
  const calls = Array.from({ length: 50 }, () => link.run('test', async redis => await redis.ping()))
  for (const call of calls) await t.rejects(call, unavailable)
  const up = once(link, 'up')
  server.resume()
  await up
  t.strictSame(events, ['down', 'up'])
  t.strictSame(warnings, [])
})

t.test('an answer that came while this process was held up counts', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { timeoutMs: 200, probeIntervalMs: 60_000 })
  const events = eventsOf(link)
  const answers = [1, 2].map(() => link.run('test', async redis => await redis.ping()))
  // Sent at the end of this turn; then nothing runs here for longer than the time that Redis has.
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300))
  t.strictSame(await Promise.all(answers), ['PONG', 'PONG'])
  t.strictSame(events, [])
})

t.test('a Redis that vanishes without a word is found again by a new connection', async t => {
  const server = await withRedis(t)
  const sockets: Socket[] = []
  const pipe = (from: Socket, to: Socket): void => { from.on('data', data => to.write(data)).on('error', () => to.destroy()) }
  const network = createServer(client => {
    const upstream = connect(server.port, '127.0.0.1')
    sockets.push(client, upstream)
    pipe(client, upstream)
    pipe(upstream, client)
  }).listen(0, '127.0.0.1')
  await once(network, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    network.close()
  })
  const { port } = network.address() as { port: number }
  const link = await connectLink(t, `redis://127.0.0.1:${port}`, { timeoutMs: 300, probeIntervalMs: 50 })
  const events = eventsOf(link)
  // The connections there are swallow what is sent; new ones work.
  for (const socket of sockets) socket.removeAllListeners('data').resume()
  await once(link, 'up')
  t.strictSame(events, ['down', 'up'])
})

t.test('a Redis that becomes a replica cannot be worked with', async t => {
  const server = await withRedis(t)
  const master = await withRedis(t)
  const link = await connectLink(t, server.url)
  const admin = await connectLink(t, server.url)
  await admin.run('test', async redis => await redis.call('REPLICAOF', '127.0.0.1', master.port))
  await t.rejects(link.run('test', async redis => await redis.set('a', 1)), {
    ...unavailable, cause: { message: /^READONLY/ },
  })
})

t.test('connect says where it looked and what was in the way, and never the password', async t => {
  const port = await freePort()
  const link = new RedisLink({ url: `redis://user:hunter2@127.0.0.1:${port}`, timeoutMs: 100 })
  const error = await link.connect(300).catch(error => error)
  t.match(error, { code: 'MICS_REDIS_UNREACHABLE', message: new RegExp(`^REDIS_URL: no Redis to work with at 127\\.0\\.0\\.1:${port}: connect ECONNREFUSED`) })
  t.notMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), 'hunter2')
  await t.rejects(link.run('test', async redis => await redis.ping()), RedisUnavailableError)
})

t.test('connect waits for a Redis that is late', async t => {
  const server = await withRedis(t)
  await server.kill()
  const link = new RedisLink({ url: server.url, timeoutMs: 10_000 })
  t.teardown(async () => await link.close())
  const connected = link.connect(20_000)
  await server.restart()
  await connected
  t.equal(link.isUp, true)
})

t.test('close lets calls under way be answered, says nothing, and leaves no connection', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const other = await connectLink(t, server.url, { name: 'other' })
  const events = eventsOf(link)
  const answers = [1, 2].map(() => link.run('test', async redis => await redis.set('last', 'words')))
  await link.close()
  t.strictSame(await Promise.all(answers), ['OK', 'OK'])
  await link.close()
  await until('its connection is gone', async () => {
    const clients = String(await other.run('test', async redis => await redis.call('CLIENT', 'LIST')))
    return /name=other/.test(clients) && !/name=mics/.test(clients)
  })
  t.strictSame(events, [])
  await t.rejects(link.run('test', async redis => await redis.ping()), unavailable)
})

t.test('close lets calls under way be answered, although a look at the master ends meanwhile', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { probeIntervalMs: 10 })
  server.pause()
  // Timers end in their order: now a look is under way.
  await delay(30)
  const answer = link.run('test', async redis => await redis.blpop('nothing', 0.2))
  const closed = link.close()
  server.resume()
  t.equal(await answer, null)
  await closed
})

t.test('close does not wait for who keeps calling', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url, { timeoutMs: 1000 })
  const refused = t.rejects(keepCalling(), unavailable)
  await link.close()
  await refused

  /** Always one call under way. */
  async function keepCalling (): Promise<void> {
    const ping = async (): Promise<string> => await link.run('test', async redis => await redis.ping())
    for (let call = ping(); ;) {
      await new Promise(resolve => setImmediate(resolve))
      const next = ping()
      next.catch(() => {})
      await call
      call = next
    }
  }
})
