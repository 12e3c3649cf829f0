import { once } from 'node:events'
import t, { type Test } from 'tap'
import { RedisLink } from '../../lib/redis/redis-link.js'
import { connectLink, eventsOf } from '../helpers/redis-link.js'
import { withRedis, type RedisServer } from '../helpers/redis-server.js'
import { until } from '../helpers/until.js'

interface Watched {
  master: RedisServer
  replica: RedisServer
  sentinel: RedisServer
}

/** A master with a replica, and a sentinel that alone decides who is master. Both want the password `x`. */
async function withSentinel (t: Test): Promise<Watched> {
  const secured = ['--requirepass', 'x', '--masterauth', 'x', '--repl-diskless-sync-delay', '0']
  const master = await withRedis(t, { args: secured })
  const replica = await withRedis(t, { args: [...secured, '--replicaof', '127.0.0.1', String(master.port)] })
  const sentinel = await withRedis(t, {
    args: ['--sentinel'],
    config: [
      `sentinel monitor main 127.0.0.1 ${master.port} 1`,
      'sentinel auth-pass main x',
      'sentinel down-after-milliseconds main 500',
      'sentinel failover-timeout main 2000',
      'requirepass s',
    ].join('\n'),
  })
  const link = await connectLink(t, `redis://:s@127.0.0.1:${sentinel.port}`)
  await until('the sentinel knows a replica that is in step', async () => {
    const [found] = await link.run('test', async redis => await redis.call('SENTINEL', 'REPLICAS', 'main')) as string[][]
    return found?.join(' ').includes('master-link-status ok') ?? false
  })
  return { master, replica, sentinel }
}

t.test('the master is found by its sentinel, and a failover is followed', async t => {
  const { master, replica, sentinel } = await withSentinel(t)
  const url = `redis-sentinel://:x@127.0.0.1:${sentinel.port}?sentinelPassword=s#main`
  const link = await connectLink(t, url)
  const events = eventsOf(link)
  await link.run('test', async redis => await redis.set('key', 'x'))
  t.equal(await link.run('test', async redis => await redis.wait(1, 5000)), 1)

  const restarted = once(link, 'restarted')
  await master.kill()
  await restarted
  t.strictSame(events, ['down', 'up', 'restarted'])
  const server = await link.run('test', async redis => await redis.info('server'))
  t.match(server, `tcp_port:${replica.port}`)
  t.equal(await link.run('test', async redis => await redis.get('key')), 'x')
  t.equal(await link.run('test', async redis => await redis.set('key', 'y')), 'OK', 'it is a master')

  t.match(await problem(url.replace('#main', '#other')), /^REDIS_URL: .*127\.0\.0\.1:\d+ \(master other\)/)
  const refused = await problem(url.replace('sentinelPassword=s', 'sentinelPassword=hunter2'))
  t.match(refused, /WRONGPASS/)
  t.notMatch(refused, 'hunter2')
})

async function problem (url: string): Promise<string> {
  return await new RedisLink({ url, timeoutMs: 1000 }).connect(500).then(() => 'connected', error => error.message)
}
