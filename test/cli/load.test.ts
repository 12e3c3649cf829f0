import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'
import { load, okay } from './load-gateway.js'
import { mics, spawnMics } from './run.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const short = ['--duration', '0.5', '--drain', '60']

t.test('load prints its result as JSON, and ends with 0 where nothing is wrong', async t => {
  const gateway = await startPatientGateway(t)
  const finished = await load(gateway, 'pair', ['--connections', '4', '--rate', '50', ...short])
  okay(t, finished)
  t.equal(finished.stderr, '', 'no progress where there is no terminal')
  t.match(finished.result, {
    version: 1,
    mode: 'pair',
    urls: [gateway.url.replace('http', 'ws')],
    tenants: ['t1'],
    interrupted: false,
    ok: true,
    problems: [],
    notes: Array,
    seconds: { connect: Number, measured: Number },
    rates: { target: 50, sent: Number, acked: Number, delivered: Number },
    connections: { attempted: 4, connected: 4, refused: {}, ended: {}, openedPerSecond: Number },
    messages: { bodyBytes: 128, failed: {}, unanswered: 0 },
    deliveries: { lost: 0, duplicated: 0, reordered: 0 },
    latencies: {
      ack: { count: Number, min: Number, mean: Number, p50: Number, p90: Number, p99: Number, p999: Number },
      catchUp: null,
    },
    generator: { threads: 1, busy: [Number], cpuSeconds: Number },
  })
})

t.test('several threads are one result', async t => {
  const gateway = await startPatientGateway(t)
  const finished = await load(gateway, 'pair', ['--connections', '12', '--rate', '100', '--threads', '3', ...short])
  okay(t, finished)
  const { connections, messages, deliveries, latencies, generator } = finished.result
  t.equal(connections.connected, 12)
  t.equal(latencies.connect?.count, 12)
  t.equal(generator.busy.length, 3)
  t.ok(messages.sent > 0)
  t.equal(deliveries.received, messages.sent)
  const users = new Set(gateway.hooks.callsOf('auth').map(({ body }) => /valid:load-\d+/.exec(body.toString('latin1'))?.[0]))
  t.equal(users.size, 12, 'each connection is a user of its own')
})

t.test('load prints a table for people, and ends with 1 where something went wrong', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.check = () => ({ allow: false, reason: 'not today' })
  const { stdout, exitCode } = await mics(
    ['load', 'pair', '--url', gateway.url, '--tenant', 't1', '--connections', '2', '--rate', '20', ...short])
  t.equal(exitCode, 1)
  t.match(stdout, /\n {2}connected +2 of 2\n/)
  t.match(stdout, /\n {2}FAILED +\d+ {2}not today\n/)
  t.match(stdout, /\nLatency in ms +count +min +mean +p50 +p90 +p99 +p99\.9 +max\nconnect +2 /)
  t.match(stdout, /\nNOT OK: \d+ messages were FAILED\.\n$/)
})

t.test('users and tokens may come from a file', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.auth = ({ token }) => token.startsWith('secret-') ? { ok: true, userId: token.slice(7) } : { ok: false, reason: 'no' }
  const file = join(t.testdir(), 'tokens')
  writeFileSync(file, 'alice secret-alice\nbob secret-bob\n\n')
  okay(t, await load(gateway, 'pair', ['--connections', '2', '--tokens-file', file, ...short]))

  writeFileSync(file, 'alice secret-alice\nsecret-bob\n')
  const { stderr, exitCode } = await load(gateway, 'pair', ['--connections', '2', '--tokens-file', file])
  t.match(stderr, /--tokens-file: line 2 of .* is not a user and a token/)
  t.notMatch(stderr, /secret-bob/)
  t.equal(exitCode, 2)
})

t.test('Ctrl-C ends it early with what it has, and 130', async t => {
  const gateway = await startPatientGateway(t)
  const child = spawnMics(['load', 'pair', '--url', gateway.url, '--tenant', 't1', '--connections', '2', '--threads', '2', '--duration', '3600', '--json'])
  t.teardown(() => child.kill('SIGKILL'))
  let stdout = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  await until('messages go', () => gateway.hooks.callsOf('check-message').length >= 3)
  child.kill('SIGINT')
  const [exitCode] = await once(child, 'close')
  t.equal(exitCode, 130)
  t.match(JSON.parse(stdout), { interrupted: true, ok: true })
})

t.test('a source address that is none of this machine ends it with what to do', async t => {
  const gateway = await startPatientGateway(t)
  const { stderr, exitCode } = await load(gateway, 'connect', ['--connections', '2', '--source-addresses', '192.0.2.1'])
  t.match(stderr, /no local port is left.*or a source address is none of this machine's.*--source-addresses/)
  t.equal(exitCode, 1)
  okay(t, await load(gateway, 'connect', ['--connections', '2', '--source-addresses', '127.0.0.2,127.0.0.3', ...short]))
})

t.test('too few open files end it with what to do', async t => {
  const gateway = await startPatientGateway(t)
  const args = ['load', 'connect', '--url', gateway.url, '--tenant', 't1', '--connections', '1000', '--connect-rate', '1000']
  const command = `ulimit -n 400 && exec "$0" --import tsx cli/mics.ts ${args.join(' ')}`
  const { PATH, HOME } = process.env
  const child = spawn('/bin/sh', ['-c', command, process.execPath], { cwd: root, env: { PATH, HOME } })
  let stderr = ''
  child.stderr.on('data', chunk => { stderr += chunk })
  const [exitCode] = await once(child, 'close')
  t.match(stderr, /this process may have no more files open\. Raise the limit in this shell with ulimit -n 200000/)
  t.equal(exitCode, 1)
})

t.test('load that is called wrongly says what it takes, and ends with 2', async t => {
  const given = ['load', 'pair', '--tenant', 't1']
  const cases: [string[], RegExp][] = [
    [['load', '--tenant', 't1'], /missing required argument 'mode'/],
    [['load', 'rush', '--tenant', 't1'], /Allowed choices are connect, heartbeat, pair/],
    [['load', 'pair'], /required option '-t, --tenant/],
    [[...given, '--size', '15'], /It takes a whole number from 16/],
    [[...given, '--rate', '0'], /It takes how many a second/],
    [[...given, '--rate', '1', '--window', '1'], /cannot be used with/],
    [[...given, '--duration', 'long'], /It takes seconds, from 0\.1 to 86400/],
    [[...given, '--url', 'localhost:8080'], /It takes URLs such as/],
    [[...given, '--tokens-file', '/no/such/file'], /--tokens-file: cannot read \/no\/such\/file/],
    [[...given, '--user', 'alice'], /the user template takes \{n\}/],
    [['load', 'group', '--tenant', 't1'], /mode group takes the ids of groups: --group/],
    [[...given, '--connections', '1'], /mode pair takes 2 connections and more/],
  ]
  for (const [args, pattern] of cases) {
    const { stdout, stderr, exitCode } = await mics(args)
    t.equal(exitCode, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, pattern)
  }
})
