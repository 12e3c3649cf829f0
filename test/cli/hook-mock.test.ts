import { once } from 'node:events'
import t from 'tap'
import { mics, spawnMics } from './run.js'

t.test('hook mock says where it answers and stops when told to', async t => {
  const child = spawnMics(['hook', 'mock', '--port', '0', '--secret', 'hunter2', '--secret', 'hunter3', '--members', 'team=alice,bob', 'all=carol'])
  t.teardown(() => child.kill('SIGKILL'))
  const closed = once(child, 'close')
  let stdout = ''
  child.stdout.on('data', chunk => { stdout += chunk })
  while (!stdout.includes('Ctrl-C')) await once(child.stdout, 'data')
  t.match(stdout, /The demo hooks answer at http:\/\/127\.0\.0\.1:\d+\n/)
  t.match(stdout, /TENANT_AUTH_MAP='\{"demo":"http:\/\/127\.0\.0\.1:\d+"\}' mics start/)

  child.kill('SIGTERM')
  t.strictSame(await closed, [0, null])
})

t.test('a member list or a port that is none is an error that says what it takes', async t => {
  for (const members of ['team', '=alice', 'team=', 'team=a,,b']) {
    const { stderr, exitCode } = await mics(['hook', 'mock', '--members', members])
    t.match(stderr, /It takes group=member,member, such as team=alice,bob/, members)
    t.equal(exitCode, 1)
  }
  t.match(await mics(['hook', 'mock', '--secret', '']), { stderr: /It takes a secret/, exitCode: 1 })
  t.match(await mics(['hook', 'mock', '--port', '70000']), { stderr: /It takes a whole number from 0 to 65535/, exitCode: 1 })
})
