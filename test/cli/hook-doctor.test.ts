import { once } from 'node:events'
import { createServer } from 'node:net'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { judgeLoad } from '../../lib/hook-doctor/check-load.js'
import type { CheckGroup, Finding } from '../../lib/hook-doctor/finding.js'
import { Findings } from '../../lib/hook-doctor/findings.js'
import { startHookMock } from '../../routes/dev/hook-mock.js'
import { makeCertificate } from '../helpers/certificate.js'
import { GOOD_TOKEN, SECRET, startStrictHooks, type Faults } from '../helpers/strict-hook-server.js'
import { examine, found, troubles } from './hook-doctor-findings.js'

const only = (...checks: CheckGroup[]) => ({ only: new Set(checks) })

function reply (status: number, type: string, body: string, headers = {}): Faults {
  return {
    intercept: (_operation, response) => {
      response.writeHead(status, { 'content-type': type, ...headers }).end(body)
      return true
    },
  }
}

/** Answers this one hook so, and the others as they should be. */
function replyOn (operation: string, answer: (response: ServerResponse, body: Buffer) => void): Faults {
  return {
    intercept: (called, response, body) => {
      if (called === operation) answer(response, body)
      return called === operation
    },
  }
}

t.test('a server that does everything right passes every check', async t => {
  const messages = Array.from({ length: 250 }, (_, i) => ({ tenantId: 'acme', userId: 'bob', toUserId: 'doctor', msgId: `m${i}` }))
  const server = await startStrictHooks(t, { messages, config: { offlineUseHookPull: true } })
  const report = await examine(server.url)
  found(t, report)
  t.equal(report.ok, true)
  t.match(report.findings.find(({ check }) => check === 'get-offline-messages'), { seen: /^250 messages in 3 pages/ })
  t.equal(report.counts.skip, 0)
  t.match(report.load, { atOnce: 32, calls: 192 })
})

t.test('the demo hooks do what a gateway needs', async t => {
  const hooks = await startHookMock({ host: '127.0.0.1', port: 0, secrets: [SECRET], groups: {}, log: false })
  t.teardown(async () => await hooks.close())
  const report = await examine(hooks.url, { tenantId: 'demo' })
  t.equal(report.counts.fail, 0, troubles(report).join(' | '))
  // Whether they look at timestamps and at repeats is theirs to decide.
  t.strictSame(troubles(report).filter(line => !/a call of 10 minutes ago|the same call again/.test(line)), [])
})

t.test('a server that cannot be reached is told by the name of the error, and nothing else is tried', async t => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as { port: number }
  gone.close()
  await once(gone, 'close')
  const report = await examine(`http://127.0.0.1:${port}`)
  found(t, report, /^fail reach, the server: 127\.0\.0\.1:\d+ refuses the connection \(ECONNREFUSED\) => start the server/)
  t.equal(report.counts.skip, 8)
  t.equal(report.ok, false)
})

t.test('TLS on the wrong side, or with a certificate that nobody knows, is told', async t => {
  const plain = await startStrictHooks(t)
  const tls = await startStrictHooks(t, {}, makeCertificate(t.testdir()))
  found(t, await examine(tls.url), /^fail reach, .* is not trusted \(DEPTH_ZERO_SELF_SIGNED_CERT\) => .*NODE_EXTRA_CA_CERTS/)
  found(t, await examine(tls.url.replace('https', 'http')), /^fail reach, .* speaks TLS, and the URL says http:\/\/ => use https/)
  found(t, await examine(plain.url.replace('http', 'https')), /^fail reach, .* does not speak TLS .* => .*begins with http:/)
})

t.test('what is no hook server at all is told by what it answers', async t => {
  const cases: [Faults, RegExp][] = [
    [reply(301, 'text/html', '', { location: 'https://hooks.example/auth' }), /a redirect to https:\/\/hooks\.example\/auth => .*begin the URL with https/],
    [reply(308, 'text/html', '', { location: '/auth/' }), /a redirect to \/auth\/ => .*without a slash/],
    [reply(200, 'text/html', '<!doctype html>'), /status 200 with an HTML page => .*is .* the hook server/],
    [reply(200, 'application/json', '{"ok":true}'), /status 200 with JSON => .*binary protobuf/],
    [reply(404, 'text/html', 'no'), /status 404 for POST http.*\/auth => .*base URL/],
    [reply(502, 'text/plain', 'bad gateway'), /status 502: bad gateway => .*proxy/],
  ]
  for (const [faults, pattern] of cases) {
    const server = await startStrictHooks(t, faults)
    const report = await examine(server.url)
    found(t, report, pattern)
    t.match(report.findings[0], { check: 'reach', result: 'fail' })
  }
  const inPath = await startStrictHooks(t, reply(404, 'text/plain', 'no'))
  found(t, await examine(`${inPath.url}/auth`), /leave \/auth out of the base URL/)
})

t.test('a server that does not answer is given up after the timeout', async t => {
  const server = await startStrictHooks(t, { intercept: () => true })
  found(t, await examine(server.url, { timeoutMs: 100 }), /^fail reach, .* did not answer within \d+ ms => .*150 ms/)
})

t.test('what /auth says to a good token must let a client in', async t => {
  const cases: [Faults, RegExp][] = [
    [replyOn('auth', response => response.end()), /a good token: .*empty body => .*4001/],
    [{ auth: () => ({ ok: false, reason: 'token expired' }) }, /a good token: refused: token expired => give a token/],
    [{ auth: () => ({ ok: true }) }, /a good token: ok without a user_id => .*4503/],
    [replyOn('auth', response => response.writeHead(401).end()), /a good token: HTTP status 401 => .*compare the secret/],
    [replyOn('auth', response => response.writeHead(500).end()), /a good token: HTTP status 500 => see the server's log/],
    [replyOn('auth', response => response.end('CAEaBWFsaWNl')), /a good token: .*not a AuthResponse; it is plain text => it may be Base64/],
  ]
  for (const [faults, pattern] of cases) {
    const server = await startStrictHooks(t, faults)
    const [first = ''] = troubles(await examine(server.url, only('auth')))
    t.match(first, pattern)
    t.match(first, /^fail auth/)
  }
  const refusing = await startStrictHooks(t)
  const report = await examine(refusing.url, { secret: '', ...only('auth') })
  found(t, report, /^fail auth, a good token: HTTP status 401 => the call was not signed/)
  t.match(report.findings, [{}, { result: 'skip', name: 'a bad token', seen: /as for a good token/ }, { result: 'skip' }])
})

t.test('a bad token gets status 200 and a no', async t => {
  const isBad = (body: Buffer): boolean => body.includes('invalid:')
  const refusing = await startStrictHooks(t, {
    intercept: (_operation, response, body) => {
      if (isBad(body)) response.writeHead(401).end()
      return isBad(body)
    },
  })
  found(t, await examine(refusing.url, only('auth')), /^fail auth, a bad token: HTTP status 401 => .*ok=false.*4503.*breaker/)
  const anybody = await startStrictHooks(t, { auth: () => ({ ok: true, userId: 'bob' }) })
  found(t, await examine(anybody.url, only('auth')), /^fail auth, a bad token: it lets an invented token in as bob => /)
  const telling = await startStrictHooks(t, { auth: token => token === GOOD_TOKEN ? { ok: true, userId: 'doctor' } : { ok: false, reason: `no ${token}` } })
  found(t, await examine(telling.url, only('auth')), /^warn auth, a bad token: .*repeats the token/)
})

t.test('a config that the gateway refuses fails, and one that can hardly be meant is a warning', async t => {
  const cases: [Faults['config'], RegExp][] = [
    [{ heartbeatTimeoutSeconds: -1 }, /^fail auth, config: TenantRuntimeConfig\.heartbeat_timeout_seconds is -1/],
    [{ hookBaseUrl: 'ftp://hooks' }, /^fail auth, config: .*hook_base_url does not begin with http/],
    [{ heartbeatTimeoutSeconds: 30_000 }, /^warn auth, config: heartbeat_timeout_seconds 30000.* => .*in seconds/],
    [{ hookQueueTimeoutMs: 500 }, /^warn auth, config: hook_queue_timeout_ms 500/],
    [{ userMaxConnections: 1 }, /^warn auth, config: user_max_connections 1/],
    [{ checkMessageDisabled: true, checkMessageFailClosed: true }, /^warn auth, config: check_message_disabled and/],
  ]
  for (const [config, pattern] of cases) {
    const server = await startStrictHooks(t, { config })
    found(t, await examine(server.url, only('auth')), pattern)
  }
})

t.test('the other hooks are asked where and with the secret that the config gives', async t => {
  const hooks = await startStrictHooks(t)
  const auth = await startStrictHooks(t, { trusts: true, config: { hookBaseUrl: hooks.url, tenantSecret: SECRET } })
  const report = await examine(auth.url, { secret: '', ...only('auth', 'check-message', 'get-group-members') })
  found(t, report)
  t.ok(hooks.calls.includes('check-message'))
  t.notOk(auth.calls.includes('check-message'))
  t.notOk(JSON.stringify(report).includes(SECRET), 'the secret that the server gave is not told')
})

t.test('a hook_base_url that cannot be reached is told by /auth, which gives it', async t => {
  const server = await startStrictHooks(t, { config: { hookBaseUrl: 'http://127.0.0.1:1' } })
  const report = await examine(server.url, only('auth'))
  found(t, report, /^fail auth, hook_base_url: 127\.0\.0\.1:1 refuses the connection/)
})

t.test('/check-message must take what clients may send', async t => {
  const cases: [Faults, RegExp][] = [
    [{ maxBody: 100 * 1024 }, /^fail check-message, a body of 1 MiB: HTTP status 413 => raise the limit.*MAX_MESSAGE_BYTES/],
    [{ maxBody: 1024 * 1024 }, /^fail check-message, a body of 1 MiB: HTTP status 413 => /],
    [replyOn('check-message', response => response.end()), /^fail check-message, a message: .*empty body => .*message rejected/],
    [replyOn('check-message', response => response.writeHead(404).end()), /^fail check-message, a message: HTTP status 404 for POST .*\/check-message/],
  ]
  for (const [faults, pattern] of cases) {
    const server = await startStrictHooks(t, faults)
    found(t, await examine(server.url, only('check-message')), pattern)
  }
  const refusing = await startStrictHooks(t, { check: () => ({ reason: 'no such user' }) })
  t.match(troubles(await examine(refusing.url, only('check-message')))[0], /^warn check-message, a message: refused: no such user/)
})

t.test('/get-group-members must list a group, and may not fail on one that it does not know', async t => {
  const server = await startStrictHooks(t)
  found(t, await examine(server.url, { groupId: 'nobody', ...only('get-group-members') }),
    /^fail get-group-members, the group nobody: no members => .*group members empty/)
  const strict = await startStrictHooks(t, {
    intercept: (operation, response, body) => {
      const isUnknown = operation === 'get-group-members' && !body.includes('team')
      if (isUnknown) response.writeHead(404).end()
      return isUnknown
    },
  })
  found(t, await examine(strict.url, only('get-group-members')),
    /^fail get-group-members, an unknown group: .*404.* => answer with status 200 and no members/)
})

t.test('/get-offline-messages must lead on, and keep what it returned', async t => {
  const one = { tenantId: 'acme', userId: 'bob', toUserId: 'doctor' }
  const many = Array.from({ length: 120 }, (_, i) => ({ ...one, msgId: `m${i}` }))
  let left = [{ ...one, msgId: 'm1' }]
  const cases: [Faults['offline'], RegExp[]][] = [
    [() => ({ ok: true, messages: [{ ...one, msgId: 'm1' }], hasMore: true, nextCursor: 'same' }), [/^fail .*repeated_cursor: next_cursor is one that was asked for before/]],
    [() => ({ ok: true, messages: [{ ...one, msgId: 'm1' }], hasMore: true }), [/^fail .*no_cursor: /]],
    [() => ({ ok: true, messages: many }), [/^fail .*too_many_messages: /, /^warn .*max_messages: more messages than asked for/]],
    [() => ({ ok: true, messages: [one] }), [/^warn .*no_msg_id: /]],
    [() => ({ ok: true, messages: left.splice(0) }), [/^warn .*the first page again: 1 of 1 messages are no longer there => delete/]],
    [() => ({}), [/^fail .*: HTTP status 200 with an empty body => .*ok set/]],
  ]
  for (const [offline, patterns] of cases) {
    left = [{ ...one, msgId: 'm1' }]
    const server = await startStrictHooks(t, { offline, config: { offlineUseHookPull: true } })
    found(t, await examine(server.url, only('get-offline-messages')), ...patterns)
  }
  const unused = await startStrictHooks(t)
  t.match(await examine(unused.url, only('get-offline-messages')), { counts: { skip: 1, fail: 0 } })
  t.notOk(unused.calls.includes('get-offline-messages'), 'whoever does not want it pulled is not asked')
})

t.test('forged calls that are taken are told for what they are', async t => {
  const forged = /by auth, check-message, get-group-members/
  const cases: [Faults, RegExp[]][] = [
    [{ trusts: true }, [
      /^fail signatures, a wrong signature: accepted by auth, .* => verify/, /^fail signatures, no signature: accepted/,
      /^fail signatures, a body that was changed: accepted/, /^warn signatures, a call of 10 minutes ago: accepted/,
      /^warn signatures, the same call again: accepted/,
    ]],
    [{ trustsUnsigned: true }, [/^fail signatures, no signature: accepted by .* => refuse calls without/]],
    [{ takesOld: true }, [/^warn signatures, a call of 10 minutes ago: accepted by .* => refuse calls whose timestamp/]],
    [{ takesReplays: true }, [/^warn signatures, the same call again: accepted by .* => remember the request_id/]],
  ]
  for (const [faults, patterns] of cases) {
    const server = await startStrictHooks(t, faults)
    const report = await examine(server.url, only('signatures'))
    found(t, report, ...patterns)
    t.match(report.findings[0], { seen: forged })
  }
  const server = await startStrictHooks(t, { trusts: true })
  const unsigned = await examine(server.url, { secret: '', ...only('signatures') })
  found(t, unsigned)
  t.match(unsigned.findings, [{ result: 'skip', seen: /no secret is given/ }])
})

t.test('a server that says no to good calls, too, cannot be said to refuse forged ones', async t => {
  const server = await startStrictHooks(t, { trusts: true, check: () => ({ allow: false, reason: 'no' }) })
  const report = await examine(server.url, only('signatures'))
  t.match(troubles(report)[0], /^fail signatures, a wrong signature: accepted by auth, get-group-members; unclear by check-message/)
})

t.test('a bad body must be refused, and the server must live on', async t => {
  const isBroken = (body: Buffer): boolean => body.length < 16
  let isDown = false
  const cases: [Faults, RegExp[]][] = [
    [{ intercept: (_operation, response, body) => isBroken(body) && response.destroy() !== undefined }, Array(3).fill(/^warn bad-calls, a body that is no protobuf, .*: no answer => answer with status 400/)],
    [{ intercept: (_operation, response, body) => isBroken(body) && response.writeHead(500).end() !== undefined }, Array(3).fill(/^warn bad-calls, .*: HTTP status 500 => .*fault of the server/)],
    [{ maxBody: 64 * 1024 * 1024 }, [/^warn bad-calls, a body of 8 MiB, .*: HTTP status 200 => bound the body/]],
    [{
      intercept: (_operation, response, body) => {
        isDown ||= isBroken(body)
        return isDown && response.destroy() !== undefined
      },
    }, [/^warn bad-calls, .*\/auth: no answer/, /^fail bad-calls, the call after .*\/auth: .*closed the connection .* => the server did not survive/]],
  ]
  for (const [faults, patterns] of cases) {
    const server = await startStrictHooks(t, faults)
    const lines = troubles(await examine(server.url, only('bad-calls')))
    patterns.forEach((pattern, index) => t.match(lines[index] ?? '', pattern))
  }
})

t.test('without bad calls the server sees none', async t => {
  const server = await startStrictHooks(t, {
    intercept: (_operation, response, body, { headers }) => {
      const isBad = headers['x-mics-signature'] === undefined || body.length < 16 || body.length > 1.1 * 1024 * 1024
      if (isBad) t.fail('a bad call came')
      return isBad && response.destroy() !== undefined
    },
  })
  const report = await examine(server.url, { skipBad: true })
  found(t, report)
  t.match(report, { counts: { skip: 3 } })
})

t.test('a server that closes connections, or soon, is told', async t => {
  const closing = await startStrictHooks(t, {
    intercept: (_operation, response) => {
      response.setHeader('connection', 'close')
      return false
    },
  })
  found(t, await examine(closing.url, only('load')),
    /^warn load, keep-alive: \d+ connections for 192 calls => keep connections open/, /^warn load, idle connections: each is closed with its answer/)

  const short = await startStrictHooks(t, {
    intercept: (_operation, response) => {
      response.setHeader('keep-alive', 'timeout=1')
      return false
    },
  })
  const lines = troubles(await examine(short.url, only('load')))
  t.match(lines.at(-1), /^warn load, idle connections: .* for 1 s: so short that the gateway opens a new one for each call/)

  let auths = 0
  const silent = await startStrictHooks(t, {
    intercept: (operation, response, _body, { socket }) => {
      response.setHeader('keep-alive', '')
      // The first call of /auth is to reach the server, the second is over the connection that is watched.
      if (operation === 'auth' && ++auths === 2) response.once('finish', () => socket.end())
      return false
    },
  })
  t.match(troubles(await examine(silent.url, { ...only('load'), idleMs: 60_000 })).at(-1),
    /^warn load, idle connections: closed after .*, unannounced => .*that call fails/)
})

t.test('a server that refuses calls when they are many fails', async t => {
  let calls = 0
  const server = await startStrictHooks(t, {
    config: { hookMaxConcurrency: 8 },
    intercept: (operation, response) => {
      const isOneTooMany = operation === 'check-message' && ++calls > 20
      if (isOneTooMany) response.writeHead(429).end()
      return isOneTooMany
    },
  })
  found(t, await examine(server.url, only('load')),
    /^fail load, 8 calls of \/check-message at once: \d of \d+ failed: HTTP status 429 => .*hook_max_concurrency/)
})

t.test('times over the budget fail, times near it are a warning, and so is a machine too busy to know', async t => {
  const judged = (figures: { p95: number, max: number }, ownDelayMs: number): Finding | undefined => {
    const findings = new Findings(new Set(['load']), new Set())
    const { p95, max } = figures
    judgeLoad({ findings, ownDelayMs, options: { budgetMs: 150 } }, 'calls', { calls: 192, atOnce: 32, connections: 32, coldMax: 0, p50: 1, p95, max })
    return findings.all[0]
  }
  t.match(judged({ p95: 5, max: 149 }, 0), { result: 'pass' })
  t.match(judged({ p95: 51, max: 149 }, 0), { result: 'warn', advice: /aim at a p95 of 50 ms/ })
  t.match(judged({ p95: 5, max: 151 }, 0), { result: 'fail', seen: /max 151 ms of 192 calls/, advice: /gives up after 150 ms/ })
  t.match(judged({ p95: 5, max: 180 }, 40), { result: 'warn', seen: /this machine itself was held up for up to 40 ms/ })
  t.match(judged({ p95: 5, max: 200 }, 40), { result: 'fail' })
})

t.test('neither secret nor token is told, even where the server repeats them', async t => {
  const server = await startStrictHooks(t, {
    auth: token => ({ ok: false, reason: `${token} signed with ${SECRET}` }),
  })
  const report = await examine(server.url)
  const text = JSON.stringify(report)
  t.notOk(text.includes(SECRET))
  t.notOk(text.includes(GOOD_TOKEN))
  t.match(report.findings[1], { seen: 'refused: [hidden] signed with [hidden]' })
})
