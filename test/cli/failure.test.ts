import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { describeFailure } from '../../cli/failure.js'
import { RedisUnreachableError } from '../../lib/redis/redis-errors.js'
import { mics } from './run.js'

t.test('start without a configuration says what is missing and where to look', async t => {
  const { stdout, stderr, exitCode } = await mics(['start'], { PORT: '70000' })
  t.equal(exitCode, 2)
  t.equal(stdout, '')
  t.match(stderr, /^2 problems in the configuration:\n {2}PORT: "70000".*\n {2}TENANT_AUTH_MAP: no tenants.*\n.*mics config check --help\n$/)
})

t.test('a bad --port is told like a bad PORT', async t => {
  for (const command of ['dev', 'start']) {
    const { stderr, exitCode } = await mics([command, '--port', 'abc'], { TENANT_AUTH_MAP: 'a=http://a' })
    t.equal(exitCode, 2)
    t.match(stderr, /^A problem in the configuration:\n {2}PORT: "abc" is not allowed/)
  }
})

t.test('a port in use is one line that says what to do', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }

  const { stderr, exitCode } = await mics(['hook', 'mock', '--port', String(port)])
  t.equal(exitCode, 1)
  t.equal(stderr, `port ${port} is in use by another process; stop that one, or choose another with --port\n`)

  const start = await mics(['start', '--host', '127.0.0.1', '--port', String(port)], { TENANT_AUTH_MAP: 'a=http://a', LOG_LEVEL: 'silent' })
  t.equal(start.exitCode, 1)
  t.equal(start.stderr, `port ${port} is in use by another process; stop that one, or choose another with PORT or --port\n`)
})

t.test('other addresses that cannot be listened on are told by name', async t => {
  const error = (code: string, rest = {}) => Object.assign(new Error('no'), { code, syscall: 'listen', ...rest })
  t.match(describeFailure(error('EACCES', { port: 80 })), { text: /^port 80 may not be used/, exitCode: 1 })
  t.match(describeFailure(error('EADDRNOTAVAIL', { address: '1.2.3.4', port: 80 })), { text: /^HOST 1\.2\.3\.4 is not an address/ })
  t.match(describeFailure(error('ENOTFOUND', { syscall: 'getaddrinfo' })), { text: /^HOST is not an address of this machine/ })
  const options = { port: '--port', host: '--host' }
  t.match(describeFailure(error('EACCES', { port: 80 }), options), { text: /set --port to one above 1023$/ })
  t.match(describeFailure(error('EADDRNOTAVAIL', { address: '1.2.3.4' }), options), { text: /^--host 1\.2\.3\.4 is not .*; set --host to/ })
})

t.test('a Redis that cannot be reached is one line', async t => {
  const error = new RedisUnreachableError('redis:6379', new Error('connect ECONNREFUSED 10.0.0.1:6379'))
  t.match(describeFailure(error), { text: /^REDIS_URL: .* at redis:6379: connect ECONNREFUSED 10\.0\.0\.1:6379; check [^\n]*$/, exitCode: 1 })
})

t.test('a fault of ours keeps its stack trace', async t => {
  t.match(describeFailure(new TypeError('oops')), { text: /^TypeError: oops\n +at /, exitCode: 1 })
})
