import { once } from 'node:events'
import t from 'tap'
import { Script } from '../../lib/redis/script.js'
import { connectLink } from '../helpers/redis-link.js'
import { withRedis } from '../helpers/redis-server.js'

const append = new Script("return { redis.call('APPEND', KEYS[1], ARGV[1]), KEYS[2], ARGV[2] or false }")

t.test('a script gets its keys and arguments, and answers with what it returns', async t => {
  const link = await connectLink(t, (await withRedis(t)).url)
  t.strictSame(await link.run('test', async redis => await append.run(redis, ['a', 'b'], ['xyz', 7])), [3, 'b', '7'])
  t.strictSame(await link.run('test', async redis => await append.run(redis, ['a', 'b'], [Buffer.from([1])])), [4, 'b', null])
})

t.test('it is known by its hash after the first time, and again after SCRIPT FLUSH or a restart', async t => {
  const server = await withRedis(t)
  const link = await connectLink(t, server.url)
  const run = async (): Promise<unknown> => await link.run('test', async redis => await append.run(redis, ['a'], ['x']))
  const calls = async (): Promise<[eval: number, evalsha: number]> => {
    const stats = await link.run('test', async redis => await redis.info('commandstats'))
    return [/cmdstat_eval:calls=(\d+)/, /cmdstat_evalsha:calls=(\d+)/].map(of => Number(of.exec(stats)?.[1] ?? 0)) as [number, number]
  }
  for (let i = 0; i < 3; i++) await run()
  t.strictSame(await calls(), [1, 3])
  await link.run('test', async redis => await redis.script('FLUSH'))
  t.match(await run(), [4])
  t.match(await Promise.all([run(), run()]), [[5], [6]])
  t.strictSame(await calls(), [2, 6])
  await Promise.all([once(link, 'restarted'), server.restart()])
  t.match(await run(), [1])
  t.equal(link.failures.size, 0)
})

t.test('an error within a script is passed on', async t => {
  const link = await connectLink(t, (await withRedis(t)).url)
  const faulty = new Script("return redis.call('INCR', KEYS[1])")
  await link.run('test', async redis => await redis.set('text', 'x'))
  await t.rejects(link.run('test', async redis => await faulty.run(redis, ['text'])), { message: /not an integer/ })
})

t.test('scripts of one turn are one write with other commands, and stay in order', async t => {
  const link = await connectLink(t, (await withRedis(t)).url)
  await link.run('test', async redis => await append.run(redis, ['key'], ['-']))
  const [first, second, third] = await Promise.all([
    link.run('test', async redis => await redis.append('key', 'a')),
    link.run('test', async redis => await append.run(redis, ['key'], ['b'])),
    link.run('test', async redis => await redis.get('key')),
  ])
  t.match([first, second, third], [2, [3], '-ab'])
})
