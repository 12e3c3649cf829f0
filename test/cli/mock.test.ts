import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TestClient } from '../helpers/client.js'
import { mics, spawnMics } from './run.js'

t.test('mock says where it answers, prints what it sees, and stops when told to', async t => {
  const child = spawnMics(['mock', '--port', '0', '--scenario', 'conformance/scenarios/refuse-token.json'])
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  child.stderr.on('data', chunk => { stderr += chunk })
  while (!stderr.includes('Ctrl-C')) await once(child.stderr, 'data')
  const [, url] = /answers at (ws:\/\/127\.0\.0\.1:\d+)\n/.exec(stderr) ?? []
  t.match(stderr, /Its log, for tests: http:\/\/127\.0\.0\.1:\d+\/mock\/log\n/)
  t.match(await TestClient.open(url.replace('ws', 'http'), { token: 'valid:alice' }).closed, { code: 4001 })
  while (!stdout.includes('"close"')) await once(child.stdout, 'data')
  t.match(JSON.parse(stdout.split('\n')[0]), { seq: 1, what: 'connect', userId: 'alice' })

  child.kill('SIGTERM')
  t.strictSame(await closed, [0, null])
})

t.test('a scenario that cannot be used is an error that names each place', async t => {
  const path = join(t.testdir(), 'wrong.json')
  const scenario = {
    heartbeatTimeout: 5,
    held: [{ toUserId: 'alice', groupId: 'team', msgId: '1' }],
    rules: [
      { when: { event: 'connect' }, do: { fail: { reason: 'no' } } },
      { when: { event: 'message', msgId: '(' }, do: { drop: 'half' } },
      { when: { event: 'ping' }, do: { drop: 'processed' } },
    ],
  }
  writeFileSync(path, JSON.stringify({ ...scenario, rules: [{ when: { event: 'mesage' }, do: { drop: 'middle' } }, { do: {} }] }))
  const { stderr, exitCode } = await mics(['mock', '--scenario', path])
  t.equal(exitCode, 1)
  t.match(stderr, `${path} cannot be used:`)
  t.match(stderr, 'heartbeatTimeout is not known; there may be ')
  t.match(stderr, 'rules[0].when.event must be one of connect, message, ping, delivery')
  t.match(stderr, 'rules[0].do.drop must be one of before, processed, half, after')
  t.match(stderr, 'rules[1].when is missing')
  t.notMatch(stderr, / at .*\.ts:/)

  const { heartbeatTimeout, ...known } = scenario
  writeFileSync(path, JSON.stringify(known))
  const { stderr: more } = await mics(['mock', '--scenario', path])
  t.match(more, 'rules[0].do.fail is for the event message, not for connect')
  t.match(more, /rules\[1\]\.when\.msgId is no regular expression: .*Unterminated group/)
  t.match(more, 'rules[2].do.drop can be "processed" for the event message; for ping take before, half or after')
  t.match(more, 'held[0] needs either toUserId or groupId')
  t.match(more, 'held[0].from is missing: the sender')

  writeFileSync(path, '{')
  t.match(await mics(['mock', '--scenario', path]), { stderr: /it is no JSON/, exitCode: 1 })
  t.match(await mics(['mock', '--scenario', '/nowhere.json']), { stderr: /ENOENT.*give --scenario the path of a JSON file/, exitCode: 1 })
})

t.test('a port or a seed that is none is an error that says what it takes', async t => {
  t.match(await mics(['mock', '--port', '70000']), { stderr: /It takes a whole number from 0 to 65535/, exitCode: 1 })
  t.match(await mics(['mock', '--seed', '-1']), { stderr: /It takes a whole number from 0 to 4294967295/, exitCode: 1 })
})
