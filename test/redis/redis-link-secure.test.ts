import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { RedisLink } from '../../lib/redis/redis-link.js'
import { Script } from '../../lib/redis/script.js'
import { makeCertificate } from '../helpers/certificate.js'
import { connectLink } from '../helpers/redis-link.js'
import { freePort, withRedis } from '../helpers/redis-server.js'

// As docs/configuration.md has them.
const leastRights = ['+@read', '+@write', '+@connection', '+@scripting', '+info', '+time']

async function problem (url: string): Promise<string> {
  return await new RedisLink({ url, timeoutMs: 1000 }).connect(500).then(() => 'connected', error => error.message)
}

t.test('user and password of an ACL are presented, percent-decoded, and never told', async t => {
  const server = await withRedis(t, { args: ['--user', 'default', 'off', '--user', 'mics', 'on', '>p@ss:/#%', '~*', ...leastRights] })
  const place = `127.0.0.1:${server.port}`
  const link = await connectLink(t, `redis://mics:p%40ss%3A%2F%23%25@${place}`)
  t.match(await link.run('test', async redis => await redis.call('CLIENT', 'INFO')), / user=mics /)
  const script = new Script("redis.call('SET', KEYS[1], redis.call('TIME')[1]) return redis.call('GET', KEYS[1])")
  t.match(await link.run('test', async redis => await script.run(redis, ['key'])), /^\d+$/)

  const wrong = await problem(`redis://mics:hunter2@${place}`)
  t.match(wrong, /^REDIS_URL: .*WRONGPASS/)
  t.notMatch(wrong, 'hunter2')
  t.match(await problem(`redis://${place}`), /NOAUTH/)
})

t.test('a password without a user is that of the default user', async t => {
  const server = await withRedis(t, { args: ['--requirepass', 'secret'] })
  const link = await connectLink(t, `redis://:secret@127.0.0.1:${server.port}/3`)
  const clients = String(await link.run('test', async redis => await redis.call('CLIENT', 'INFO')))
  t.match(clients, /name=mics .* db=3 /)
})

t.test('a user that may not ask for INFO is told at once what it needs', async t => {
  const server = await withRedis(t, { args: ['--user', 'mics', 'on', '>x', '~*', '+@all', '-info'] })
  t.match(await problem(`redis://mics:x@127.0.0.1:${server.port}`), /NOPERM.*info/)
})

t.test('when a connection breaks, the next one signs in again', async t => {
  const server = await withRedis(t, { args: ['--requirepass', 'secret'] })
  const link = await connectLink(t, `redis://:secret@127.0.0.1:${server.port}`)
  const restarted = once(link, 'restarted')
  await server.restart()
  await restarted
  t.equal(await link.run('test', async redis => await redis.ping()), 'PONG')
})

/** A program that connects where the CA is trusted, and prints what `PING` answers. */
const program = `
import { RedisLink } from './lib/redis/redis-link.ts'
const link = new RedisLink({ url: process.argv[1], timeoutMs: 5000 })
await link.connect(10000)
console.log(await link.run('test', redis => redis.ping()))
await link.close()
`

t.test('TLS connects where the certificate is trusted, by NODE_EXTRA_CA_CERTS for a private CA, and only there', async t => {
  const { key, cert } = makeCertificate(t.testdir({}))
  const tlsPort = await freePort()
  await withRedis(t, {
    args: ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no', '--requirepass', 'x'],
  })
  t.match(await problem(`rediss://:x@127.0.0.1:${tlsPort}`), /self-signed certificate/)

  // Node reads the variable when a process starts.
  for (const host of ['127.0.0.1', 'localhost']) {
    const { stdout, stderr } = spawnSync(process.execPath, [
      '--import', 'tsx', '--input-type=module', '-e', program, `rediss://:x@${host}:${tlsPort}`,
    ], { encoding: 'utf8', env: { ...process.env, NODE_EXTRA_CA_CERTS: cert } })
    t.equal(stdout, 'PONG\n', stderr)
  }
})
