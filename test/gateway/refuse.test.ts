import { once } from 'node:events'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { TestClient, type ClientOptions, type Closed } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { PATIENT, until } from '../helpers/until.js'

const UNAVAILABLE = { code: 4503, reason: 'cannot authenticate now: retry with backoff' }

/** How a connection that should not be let in ends. */
async function refusal (t: Test, gateway: TestGateway, options: ClientOptions = {}): Promise<Closed> {
  const client = TestClient.open(gateway.url, options)
  const closed = await client.closed
  t.strictSame(client.frames, [], 'not a frame was sent')
  t.equal(gateway.server.app.connections.count, 0)
  t.equal(gateway.server.app.handshakeGate.inProgress, 0)
  return closed
}

t.test('a missing or unknown tenant is 4002', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  t.strictSame(await refusal(t, gateway, { tenantId: '' }), { code: 4002, reason: 'missing tenantId' })
  t.strictSame(await refusal(t, gateway, { tenantId: 'nobody' }), { code: 4002, reason: 'unknown tenant' })
  t.strictSame(await refusal(t, gateway, { tenantId: '__proto__' }), { code: 4002, reason: 'unknown tenant' })
  t.equal(gateway.hooks.calls.length, 0)
  // Tenant ids that anybody may invent must not become label values.
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 'unknown', code: '4002' }), 3)
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 'nobody' }), 0)
})

t.test('a connection without any parameter is 4002', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}/ws`)
  const [code] = await once(ws, 'close')
  t.equal(code, 4002)
})

t.test('a missing token is 4001, and the hook is not asked', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  t.strictSame(await refusal(t, gateway, { token: '' }), { code: 4001, reason: 'missing token' })
  t.strictSame(await refusal(t, gateway, { token: '', asSubprotocol: true }), { code: 4001, reason: 'missing token' })
  t.equal(gateway.hooks.calls.length, 0)
})

t.test('a missing deviceId is 4001 with just this reason', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  t.strictSame(await refusal(t, gateway, { deviceId: '' }), { code: 4001, reason: 'missing deviceId' })
  t.equal(gateway.hooks.calls.length, 0)
})

t.test('a no of the auth hook is 4001 with its reason', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  t.strictSame(await refusal(t, gateway, { token: 'wrong' }), { code: 4001, reason: 'invalid token' })
  gateway.hooks.auth = () => ({ ok: false })
  t.strictSame(await refusal(t, gateway), { code: 4001, reason: 'authentication failed' })
  gateway.hooks.auth = () => ({ ok: false, userId: 'alice', deviceId: 'd1' })
  t.match(await refusal(t, gateway), { code: 4001 }, 'no is no, whoever it names')
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 't1', code: '4001' }), 3)
})

t.test('a reason is cut to 123 bytes, and never inside a character', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const answers: Array<[string, string]> = [
    ['x'.repeat(123), 'x'.repeat(123)],
    ['x'.repeat(500), 'x'.repeat(123)],
    ['ä'.repeat(100), 'ä'.repeat(61)],
    ['x' + '€'.repeat(100), 'x' + '€'.repeat(40)],
    ['🎈'.repeat(100), '🎈'.repeat(30)],
  ]
  for (const [said, heard] of answers) {
    gateway.hooks.auth = () => ({ ok: false, reason: said })
    t.strictSame(await refusal(t, gateway), { code: 4001, reason: heard })
  }
})

t.test('an auth hook that fails is 4503', async t => {
  const gateway = await startGateway(t, { HOOK_BREAKER_FAILURE_THRESHOLD: '100' }, PATIENT)
  const { raw } = gateway.hooks
  raw.set('auth', response => response.writeHead(500).end())
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, '500')
  raw.set('auth', response => response.writeHead(403).end())
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'a status is no answer: only ok=false is a no')
  raw.set('auth', response => response.writeHead(302, { location: `${gateway.hooks.url}/t1/auth` }).end())
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'a redirect')
  raw.set('auth', response => response.destroy())
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'a connection that breaks')
  raw.set('auth', response => response.end('<html>welcome</html>'))
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'garbage')
  // What follows never ends: the deadline does.
  gateway.server.app.hooksClient.timeoutMs = 150
  raw.set('auth', () => {})
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'no answer in time')
  raw.set('auth', response => response.writeHead(200).write('\x08'))
  t.strictSame(await refusal(t, gateway), UNAVAILABLE, 'half an answer')
  raw.delete('auth')
  gateway.server.app.hooksClient.timeoutMs = PATIENT.hookTimeoutMs
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 't1', code: '4503' }), 7)
  t.equal(await gateway.metric('mics_hook_calls_total', { operation: 'auth', result: 'timeout' }), 2)
  await gateway.connect('alice')
})

t.test('an auth hook that is not there is 4503, for its tenant alone', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  await gateway.hooks.close()
  t.strictSame(await refusal(t, gateway), UNAVAILABLE)
})

t.test('an open breaker is 4503 without a call, and the other tenant does not notice', async t => {
  const gateway = await startGateway(t, { HOOK_BREAKER_FAILURE_THRESHOLD: '2', HOOK_BREAKER_OPEN_MS: '60000' }, PATIENT)
  gateway.hooks.raw.set('auth', (response, _body, request) => {
    if (request.url?.startsWith('/t1/')) response.writeHead(500).end()
    else response.end(Buffer.from([0x10, 1, 0x1a, 1, 0x62])) // ok, user_id "b"
  })
  await refusal(t, gateway)
  await refusal(t, gateway)
  const calls = gateway.hooks.callsOf('auth').length
  t.strictSame(await refusal(t, gateway), UNAVAILABLE)
  t.equal(gateway.hooks.callsOf('auth').length, calls)
  const other = await gateway.connect('b', { tenantId: 't2' })
  t.equal((await other.connectAck()).userId, 'b')
})

t.test('a yes that cannot be used is 4503', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const yes = { ok: true, userId: 'alice' }
  const unusable = {
    'no user_id': { ok: true },
    'a hook_base_url that is no http': { ...yes, config: { hookBaseUrl: 'file:///etc/passwd' } },
    'a hook_base_url that is no URL': { ...yes, config: { hookBaseUrl: 'hooks.example' } },
    'a negative heartbeat': { ...yes, config: { heartbeatTimeoutSeconds: -1 } },
    'a negative tenant limit': { ...yes, config: { tenantMaxConnections: -1 } },
    'a negative user limit': { ...yes, config: { userMaxConnections: -1 } },
    'a negative rate': { ...yes, config: { tenantMaxMessageQps: -5 } },
    'a negative offline time': { ...yes, config: { offlineBufferTtlSeconds: -5 } },
  }
  for (const [name, answer] of Object.entries(unusable)) {
    gateway.hooks.auth = () => answer
    t.strictSame(await refusal(t, gateway), UNAVAILABLE, name)
  }
  t.equal(await gateway.metric('mics_connections', { tenant: 't1' }), 0)
})

t.test('a hook that must be signed and cannot be is 4503 without a call', async t => {
  const gateway = await startGateway(t, { HOOK_SIGN_REQUIRED: 'true' }, PATIENT)
  t.strictSame(await refusal(t, gateway, { tenantId: 't2' }), UNAVAILABLE)
  t.equal(gateway.hooks.calls.length, 0)
  await gateway.connect('alice')
})

t.test('a client that floods while it waits is refused as promptly as any other', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = TestClient.open(gateway.url, { token: 'wrong' })
  await once(client.ws, 'open')
  // Beyond what is held before the answer: reading has paused when it comes.
  for (let i = 0; i < 100; i++) client.send({ toUserId: 'bob', msgBody: Buffer.alloc(16_384) })
  t.match(await client.closed, { code: 4001 })
  await until('the gateway let go of it', () => gateway.server.app.websocketServer.clients.size === 0)
})

t.test('a deviceId that is too long is refused', async t => {
  const gateway = await startGateway(t)
  const client = TestClient.open(gateway.url, { deviceId: 'd'.repeat(257) })
  t.same(await client.closed, { code: 4001, reason: 'deviceId too long' })
  await gateway.connect('alice', { deviceId: 'd'.repeat(256) })
})

t.test('a URL that is none is answered without repeating it', async t => {
  const gateway = await startGateway(t)
  for (const path of ['/ws%zz?token=hunter2', '/nowhere?token=hunter2']) {
    const response = await gateway.server.app.inject(path)
    t.ok([400, 404].includes(response.statusCode))
    t.notMatch(response.body, /hunter2/)
  }
})
