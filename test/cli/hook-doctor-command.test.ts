import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { GOOD_TOKEN, SECRET, startStrictHooks } from '../helpers/strict-hook-server.js'
import { mics } from './run.js'

// Times are left out: this machine may be busy with other tests.
const timeless = ['--only', 'reach,auth,check-message,get-group-members,get-offline-messages,signatures,bad-calls']

t.test('hook doctor reports in lines, and ends with 0 where nothing failed', async t => {
  const { url } = await startStrictHooks(t)
  const file = join(t.testdir(), 'secret')
  writeFileSync(file, `${SECRET}\n`)
  const { stdout, stderr, exitCode } = await mics(
    ['hook', 'doctor', '--url', url, '--tenant', 'acme', '--secret-file', file, '--group', 'team', '--timeout', '60', ...timeless])
  t.equal(exitCode, 0, stdout)
  t.equal(stderr, '')
  t.match(stdout, /\nReaching the server\n {2}pass the server: http:.*\/auth answers/)
  t.match(stdout, /\nPOST \/auth\n {2}pass a good token: user doctor/)
  t.match(stdout, /\n {2}skip a pull: the config does not set offline_use_hook_pull/)
  t.match(stdout, /\nForged calls\n {2}pass a wrong signature: refused by auth, check-message, get-group-members\n/)
  t.match(stdout, /\n\d+ passed, 0 to look at, 0 failed, 1 skipped\. A gateway can work with this server\.\n$/)
  t.notOk(stdout.includes(SECRET))
  t.notOk(stdout.includes(GOOD_TOKEN))
})

t.test('hook doctor says what to do, and ends with 1 where something failed', async t => {
  const { url } = await startStrictHooks(t, { trustsUnsigned: true })
  const given = ['hook', 'doctor', '--url', url, '--tenant', 'acme', '--group', 'team', '--timeout', '60', ...timeless]
  const { stdout, exitCode } = await mics(given, { MICS_HOOK_SECRET: SECRET })
  t.equal(exitCode, 1)
  t.match(stdout, /\n {2}FAIL no signature: accepted by auth, .*\n {7}-> refuse calls without a signature/)
  t.match(stdout, /\n\d+ passed, 0 to look at, 1 failed, .* mend what failed\.\n$/)

  const json = await mics([...given, '--json'], { MICS_HOOK_SECRET: SECRET })
  t.equal(json.exitCode, 1)
  const report = JSON.parse(json.stdout)
  t.match(report, { url, tenant: 'acme', ok: false, counts: { fail: 1 }, load: null })
  t.match(report.findings.filter(({ result }: { result: string }) => result === 'fail'),
    [{ check: 'signatures', name: 'no signature', seen: /accepted/, advice: /refuse calls/ }])
})

t.test('hook doctor takes the token from the environment', async t => {
  const { url } = await startStrictHooks(t, { auth: token => ({ ok: token === 'from-the-environment', userId: 'alice' }) })
  const { stdout, exitCode } = await mics(
    ['hook', 'doctor', '--url', url, '--tenant', 'acme', '--secret', SECRET, '--only', 'auth', '--timeout', '60'],
    { MICS_TOKEN: 'from-the-environment' })
  t.equal(exitCode, 0, stdout)
  t.match(stdout, /pass a good token: user alice/)
})

t.test('hook doctor that is called wrongly says what it takes, and ends with 2', async t => {
  const given = ['hook', 'doctor', '--tenant', 'acme']
  const url = ['--url', 'http://127.0.0.1:1']
  const cases: [string[], RegExp][] = [
    [given, /required option '--url/],
    [[...given, '--url', 'hooks.acme.example'], /It is not a URL\. It takes the base URL/],
    [[...given, ...url, '--only', 'auth,speed'], /There is no check "speed"; there are reach, auth/],
    [[...given, ...url, '--timeout', '0'], /It takes seconds/],
    [[...given, ...url, '--secret', ''], /It takes a secret/],
    [[...given, ...url, '--secret', 'a', '--secret-file', 'b'], /cannot be used with/],
    [[...given, ...url, '--secret-file', '/no/such/file'], /--secret-file: cannot read \/no\/such\/file/],
    [[...given, ...url, '--colour'], /unknown option/],
  ]
  for (const [args, pattern] of cases) {
    const { stdout, stderr, exitCode } = await mics(args)
    t.equal(exitCode, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, pattern)
  }
})
