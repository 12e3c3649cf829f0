import { once } from 'node:events'
import { Redis } from 'ioredis'
import t from 'tap'
import { openDevRedis } from '../../cli/dev-redis.js'
import { freePorts } from '../../cli/free-ports.js'
import { withRedis } from '../helpers/redis-server.js'

/** As on a machine where no redis-server is installed. */
const withoutPrograms = { PATH: t.testdir() }

async function ping (url: string): Promise<string> {
  const client = new Redis(url, { retryStrategy: () => null, maxRetriesPerRequest: 0 })
  client.on('error', () => {}) // ping rejects with it
  try {
    return await client.ping()
  } finally {
    client.disconnect()
  }
}

t.test('a Redis that is given is taken as it is, and its password is not told', async t => {
  const redis = await openDevRedis({ env: process.env, redisUrl: 'redis://:secret@redis.example:6379/3' })
  t.equal(redis.url, 'redis://:secret@redis.example:6379/3')
  t.equal(redis.origin, 'redis://:****@redis.example:6379/3, as configured')
  await redis.close()
})

t.test('else one is started, which only this machine reaches, and which ends when it is closed', async t => {
  const redis = await openDevRedis({ env: process.env, redisUrl: '' })
  t.match(redis.origin, /^started for this demo at 127\.0\.0\.1:\d+, pid \d+$/)
  t.equal(await ping(redis.url), 'PONG')
  const client = new Redis(redis.url)
  t.same(await client.config('GET', 'bind'), ['bind', '127.0.0.1'])
  t.same(await client.config('GET', 'save'), ['save', ''])
  const gone = once(client, 'end')
  client.options.retryStrategy = () => null
  await redis.close()
  await gone
  await t.rejects(ping(redis.url))
  const pid = Number(/pid (\d+)/.exec(redis.origin)?.[1])
  t.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

t.test('one that was started says when it ends by itself', async t => {
  const redis = await openDevRedis({ env: process.env, redisUrl: '' })
  process.kill(Number(/pid (\d+)/.exec(redis.origin)?.[1]), 'SIGKILL')
  t.equal(await redis.ended, 'SIGKILL')
  await redis.close()
})

t.test('where none is installed, one that runs is used in an empty database, and what others keep in it stays', async t => {
  const running = await withRedis(t)
  const others = new Redis(running.url, { db: 15 })
  t.teardown(() => others.disconnect())
  await others.set('theirs', 'kept')
  const redis = await openDevRedis({ env: withoutPrograms, redisUrl: '', foundAt: { host: '127.0.0.1', port: running.port } })
  t.equal(redis.url, `redis://127.0.0.1:${running.port}/14`)
  t.equal(redis.origin, `found at 127.0.0.1:${running.port}; its empty database 14`)
  await redis.close()
  t.equal(await others.get('theirs'), 'kept')
  t.equal(await ping(running.url), 'PONG', 'it goes on')
})

t.test('one with fewer databases is searched too', async t => {
  const running = await withRedis(t, { args: ['--databases', '2'] })
  const redis = await openDevRedis({ env: withoutPrograms, redisUrl: '', foundAt: { host: '127.0.0.1', port: running.port } })
  t.match(redis.url, /\/1$/)
})

t.test('where there is none to use, the error says how to get one', async t => {
  const [nobody] = await freePorts(1)
  const full = await withRedis(t, { args: ['--databases', '1'] })
  const locked = await withRedis(t, { args: ['--requirepass', 'x'] })
  const problems: [number, RegExp][] = [
    [nobody, /127\.0\.0\.1:\d+ answers no PING without a password/],
    [locked.port, /answers no PING without a password/],
    [full.port, /has no empty database/],
  ]
  for (const [port, problem] of problems) {
    const opening = openDevRedis({ env: withoutPrograms, redisUrl: '', foundAt: { host: '127.0.0.1', port } })
    const error = await opening.then(() => t.fail('opened'), error => error)
    t.equal(error.code, 'MICS_NO_REDIS')
    t.match(error.message, problem)
    t.match(error.message, /no redis-server is on the PATH/)
    t.match(error.message, /apt-get install redis-server.*brew install redis.*REDIS_URL/)
  }
})
