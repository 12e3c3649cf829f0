import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { largestTenantsFile, loadTenantsFile, readTenantsFile, TenantsFileError } from '../../lib/tenants/tenants-file.js'

function fileOf (t: Test, content: string, name = 'tenants.yaml'): string {
  return join(t.testdir({ [name]: content }), name)
}

async function problemsOf (t: Test, content: string): Promise<string[]> {
  const path = fileOf(t, content)
  try {
    await readTenantsFile(path)
  } catch (error) {
    if (!(error instanceof TenantsFileError)) throw error
    t.match(error.message, `${path}: `, 'the message names the file')
    return error.problems
  }
  t.fail('it was taken')
  return []
}

const full = `
tenants:
  acme:
    authUrl: http://hooks.acme.example:8081
    secret: s3cret
    hookMaxConcurrency: 16
    defaults: { heartbeatTimeoutSeconds: 60, syncSenderDevices: false, hookBaseUrl: "https://base" }
    caps: { userMaxConnections: 10 }
  globex:
    authUrl: https://globex.example/mics/
`

const fullTenants = [
  {
    id: 'acme',
    authUrl: 'http://hooks.acme.example:8081',
    secret: 's3cret',
    hookMaxConcurrency: 16,
    defaults: { heartbeatTimeoutSeconds: 60, syncSenderDevices: false, hookBaseUrl: 'https://base' },
    caps: { userMaxConnections: 10 },
  },
  { id: 'globex', authUrl: 'https://globex.example/mics/', secret: '' },
]

t.test('YAML and JSON are read alike', async t => {
  t.strictSame(await readTenantsFile(fileOf(t, full)), fullTenants)
  const tenants = Object.fromEntries(fullTenants.map(({ id, ...tenant }) => [id, tenant]))
  t.strictSame(await readTenantsFile(fileOf(t, JSON.stringify({ tenants }, null, 2), 'tenants.json')), fullTenants)
})

t.test('a file of no tenants is one, if it says so', async t => {
  t.strictSame(await readTenantsFile(fileOf(t, 'tenants: {}')), [])
  t.strictSame(await problemsOf(t, ''), ['is empty; it takes at least: tenants: {acme: {authUrl: "http://hooks.acme.example:8081"}}'])
  t.strictSame(await problemsOf(t, '# none yet\n'), await problemsOf(t, ''))
  t.strictSame(await problemsOf(t, 'tenants:'), ['tenants: is empty; write tenants: {} for none'])
  t.strictSame(await problemsOf(t, '{}'), ['tenants: is missing'])
})

t.test('every problem is told at once with its path', async t => {
  t.strictSame((await problemsOf(t, `
version: 1
tenants:
  acme:
    authURL: http://x
    secret: 12345
    defaults:
      heartbeatTimeoutSeconds: 0
      hookSignRequired: "yes"
      hookBaseUrl: ftp://x
      offlineBufferTtlSeconds: "600"
      tenantMaxConnections: many
      userMaxConnections: [5]
      checkMessageDisabled: 'true'
      checkBatchMaxMessages: 257
      checkBatchMaxWaitMs: 51
    caps:
      syncSenderDevices: true
      userMaxConnections: 1.5
  " padded": { authUrl: "http://x" }
  globex: { authUrl: "http://user:hunter2@x" }
  list: []
  empty:
  half: { authUrl: , secret: true, caps: }
`)).toSorted(), [
    'tenants. padded: is not a tenant id; it takes 1 to 128 characters, no control characters, no space at either end',
    'tenants.acme.authURL: is not a setting here; did you mean authUrl?',
    'tenants.acme.authUrl: is missing',
    'tenants.acme.caps.syncSenderDevices: is not a setting here; known are heartbeatTimeoutSeconds, offlineBufferTtlSeconds, tenantMaxConnections, userMaxConnections, tenantMaxMessageQps, hookMaxConcurrency, hookQueueTimeoutMs, hookBreakerOpenMs',
    'tenants.acme.caps.userMaxConnections: is not a whole number; it takes a whole number from 1 to 2147483647',
    'tenants.acme.defaults.checkBatchMaxMessages: is not allowed; it takes a whole number from 0 to 256',
    'tenants.acme.defaults.checkBatchMaxWaitMs: is not allowed; it takes a whole number from 0 to 50',
    'tenants.acme.defaults.checkMessageDisabled: is text; it takes true or false; remove the quotes',
    'tenants.acme.defaults.heartbeatTimeoutSeconds: is not allowed; it takes a whole number from 1 to 86400',
    'tenants.acme.defaults.hookBaseUrl: does not begin with http:// or https://; it takes an http or https URL such as http://hooks.acme.example:8081',
    'tenants.acme.defaults.hookSignRequired: is text; it takes true or false',
    'tenants.acme.defaults.offlineBufferTtlSeconds: is text; it takes a whole number from 1 to 604800; remove the quotes',
    'tenants.acme.defaults.tenantMaxConnections: is text; it takes a whole number from 0 to 2147483647',
    'tenants.acme.defaults.userMaxConnections: is a list; it takes a whole number from 0 to 2147483647',
    'tenants.acme.secret: is a number; it takes text; put it in quotes',
    'tenants.empty: is empty; it takes a mapping',
    'tenants.globex.authUrl: contains a user name or a password; calls are signed instead; it takes an http or https URL such as http://hooks.acme.example:8081',
    'tenants.half.authUrl: is empty; it takes an http or https URL such as http://hooks.acme.example:8081',
    'tenants.half.caps: is empty; it takes a mapping',
    'tenants.half.secret: is true or false; it takes text; put it in quotes',
    'tenants.list: is a list; it takes a mapping',
    'version: is not a setting here; known are tenants',
  ])
})

t.test('what is not YAML is told by line, and no secret near it is shown', async t => {
  t.strictSame(await problemsOf(t, 'tenants:\n  acme: { authUrl: "http://x" }\n  acme: { authUrl: "http://y" }\n'),
    ['line 3, column 3: the key appears twice'])
  const broken = await problemsOf(t, 'tenants:\n  acme:\n    secret: "hunter2\n    authUrl: [\n')
  t.match(broken[0], /^line \d+, column \d+: is not valid YAML/)
  t.notMatch(broken.join('\n'), 'hunter2')
  t.strictSame(await problemsOf(t, '{"tenants": {"acme": {"authUrl": "http://x" }}'),
    ['line 1, column 47: is not valid YAML or JSON: a closing bracket, brace or quote is missing'])
  t.match(await problemsOf(t, 'tenants:\n  acme: *hunter2\n'), [/anchor|not valid YAML/])
  t.match(await problemsOf(t, 'tenants: {}\n---\ntenants: {}\n'), [/a second document begins/])
})

t.test('what is not YAML is told in words, whatever it is', async t => {
  const wrong: [string, RegExp][] = [
    ['a: "x', /a closing bracket, brace or quote is missing/],
    ['{"a": 1 "hunter2": 2}', /a comma is missing before this/],
    ['{"a": "x"\n "hunter2": 2}', /a comma is missing before this/],
    ['["a" "hunter2"]', /a comma is missing before this/],
    ['{"a":"x", "b" "hunter2"}', /a comma is missing before this/],
    ['a: x\nhunter2', /a key has no colon after it/],
    ['a: "x"#hunter2', /a space or another character is missing/],
    ['tenants:\n  hunter2\n  b: y', /a key spans several lines/],
    ['a: b: hunter2', /a key is where a value belongs/],
    ['a: @hunter2', /text that begins with this character needs quotes/],
    ['a: "\\hunter2"', /a backslash in double quotes/],
    ['a: &x &y hunter2', /text that begins with &, \* or ! needs quotes/],
    ['%YAML hunter2\n---\na: 1', /a line that begins with %/],
    ['"a" hunter2', /this cannot be here/],
    ['a: {b: 1}}', /this cannot be here/],
    ['a:\n\tb: 1', /a tab is used for indentation; use spaces/],
    ['['.repeat(5000), /nested too deeply|bracket/],
  ]
  for (const [content, problem] of wrong) {
    const problems = (await problemsOf(t, content)).join('\n')
    t.match(problems, problem, content.slice(0, 40))
    t.notMatch(problems, /hunter2|\([A-Z_]+\)/, 'neither the content nor a code')
  }
})

t.test('an anchor may be shared by many tenants', async t => {
  const tenants = Array.from({ length: 500 }, (_, index) => `  t${index}: { authUrl: "http://x", defaults: *common }`)
  const path = fileOf(t, `tenants:\n  first: { authUrl: "http://x", defaults: &common { userMaxConnections: 3 } }\n${tenants.join('\n')}\n`)
  const read = await readTenantsFile(path)
  t.equal(read.length, 501)
  t.strictSame(read[500]?.defaults, { userMaxConnections: 3 })
})

t.test('a file that contains itself is refused', async t => {
  t.equal((await problemsOf(t, 'tenants: &all\n  acme: *all\n')).length > 0, true)
})

t.test('a hopeless file gets a bounded message', async t => {
  const path = fileOf(t, `tenants:\n${Array.from({ length: 1000 }, (_, index) => `  t${index}: {}`).join('\n')}`)
  await t.rejects(readTenantsFile(path), { problems: { length: 1000 }, message: /and 950 more$/ })
})

t.test('what cannot be read is an error that says why', async t => {
  const folder = t.testdir({ 'large.yaml': `# ${'x'.repeat(largestTenantsFile)}` })
  const refused = (name: string, problem: RegExp) => t.rejects(readTenantsFile(join(folder, name)), {
    name: 'TenantsFileError',
    code: 'MICS_TENANTS_FILE_INVALID',
    message: problem,
  })
  await refused('missing.yaml', /missing\.yaml: does not exist; set TENANTS_FILE/)
  await refused('.', /: is not a file$/)
  await refused('large.yaml', /: is larger than 8 MiB; split/)
})

t.test('a pipe is refused rather than waited for', { skip: process.platform === 'win32' }, async t => {
  const path = join(t.testdir({}), 'pipe')
  execFileSync('mkfifo', [path])
  await t.rejects(readTenantsFile(path), { message: `${path}: is not a file` })
})

t.test('the hash tells one content from another', async t => {
  const folder = t.testdir({ one: full, same: full, other: `${full}#` })
  const hashOf = async (name: string): Promise<string> => (await loadTenantsFile(join(folder, name))).contentHash
  t.equal(await hashOf('one'), await hashOf('same'))
  t.not(await hashOf('one'), await hashOf('other'))
})
