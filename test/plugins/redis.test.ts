import { once } from 'node:events'
import { Writable } from 'node:stream'
import Fastify, { LogController, type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import type { RedisLink } from '../../lib/redis/redis-link.js'
import configPlugin from '../../plugins/config.js'
import lifecyclePlugin from '../../plugins/lifecycle.js'
import metricsPlugin from '../../plugins/metrics.js'
import redisPlugin from '../../plugins/redis.js'
import healthRoutes from '../../routes/health.js'
import { withRedis } from '../helpers/redis-server.js'

interface Setup {
  app: FastifyInstance
  redis: RedisLink
  /** Lines of the log so far. */
  lines: Array<Record<string, unknown>>
}

async function start (t: Test, env: NodeJS.ProcessEnv): Promise<Setup> {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write (line, _encoding, done) {
      lines.push(JSON.parse(line))
      done()
    },
  })
  const app = Fastify({
    logger: { level: 'info', stream },
    logController: new LogController({ disableRequestLogging: true }),
  })
  t.teardown(async () => await app.close())
  const config = loadConfig({ TENANT_AUTH_MAP: 'a=http://a', CLUSTER_GRPC_TOKEN: 'token', REDIS_TIMEOUT_MS: '5000', ...env })
  await app.register(configPlugin, { config })
  await app.register(metricsPlugin)
  await app.register(lifecyclePlugin)
  await app.register(redisPlugin)
  await app.register(healthRoutes)
  await app.ready()
  return { app, redis: app.redis as RedisLink, lines }
}

/** The samples of the metrics of Redis. */
async function samples (app: FastifyInstance): Promise<string[]> {
  const { body } = await app.inject('/metrics')
  return body.split('\n').filter(line => line.startsWith('mics_redis_'))
}

async function readyz (app: FastifyInstance): Promise<[status: number, body: object]> {
  const response = await app.inject('/readyz')
  return [response.statusCode, response.json()]
}

t.test('without a URL there is no Redis, and nothing is missing', async t => {
  const { app, lines } = await start(t, {})
  t.equal(app.redis, undefined)
  t.strictSame(await readyz(app), [200, { status: 'ready' }])
  t.strictSame(await samples(app), [])
  t.strictSame(lines, [])
})

t.test('going and coming back is a line each, counted, and told by readyz after the grace', async t => {
  const server = await withRedis(t)
  const { app, redis, lines } = await start(t, { REDIS_URL: server.url, REDIS_GRACE_SECONDS: '0' })
  t.strictSame(await samples(app), ['mics_redis_up 1', 'mics_redis_calls_in_flight 0'])
  t.strictSame(await readyz(app), [200, { status: 'ready' }])

  await Promise.all([once(redis, 'down'), server.kill()])
  await t.rejects(redis.run('routes', async redis => await redis.ping()))
  t.strictSame(await samples(app), ['mics_redis_up 0', 'mics_redis_calls_in_flight 0', 'mics_redis_failures_total{operation="routes"} 1'])
  t.strictSame(await readyz(app), [503, { status: 'degraded', reason: 'cut off from Redis' }])

  await Promise.all([once(redis, 'restarted'), server.restart()])
  t.strictSame(await readyz(app), [200, { status: 'ready' }])
  t.match(lines, [
    { level: 40, msg: 'Redis is gone: this node goes on with what it knows' },
    { level: 30, msg: 'Redis is back', goneMs: Number },
    { level: 30, msg: /^a Redis master is another process/ },
  ])

  await app.lifecycle.drain(AbortSignal.timeout(1000), () => {})
  await Promise.all([once(redis, 'down'), server.kill()])
  t.match(await readyz(app), [503, { status: 'draining' }])
})

t.test('within the grace readyz stays 200', async t => {
  const server = await withRedis(t)
  const { app, redis } = await start(t, { REDIS_URL: server.url, REDIS_GRACE_SECONDS: '3600' })
  await Promise.all([once(redis, 'down'), server.kill()])
  t.strictSame(await readyz(app), [200, { status: 'ready' }])
})

t.test('closing the app closes the connection, without a word', async t => {
  const server = await withRedis(t)
  const { app, redis, lines } = await start(t, { REDIS_URL: server.url })
  await app.close()
  await t.rejects(redis.run('test', async redis => await redis.ping()), { code: 'MICS_REDIS_UNAVAILABLE' })
  t.strictSame(lines, [])
})
