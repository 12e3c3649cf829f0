import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { body, MessageType, TestClient } from '../helpers/client.js'
import { HookServer } from '../helpers/hook-server.js'
import { RawClient, upgradeRequest } from '../helpers/raw-client.js'
import { connectPatiently, MicsProcess } from '../process/mics-process.js'

/** Part of everything that no log may hold. In no base64 of it does this text appear: `forms` has those too. */
const HUSH = 'hush0hush1hush2'

/** How the secret could look in a log: as it is, encoded, or as the bytes of a Buffer in JSON. */
function forms (secret: string): string[] {
  const bytes = Buffer.from(secret)
  // Base64 of something that contains the secret depends on where it begins; its middle does not.
  const base64 = [0, 1, 2].map(shift => Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64').slice(4, -4))
  return [secret, ...base64, bytes.toString('hex'), [...bytes].join(',')]
}

function assertSilent (t: Test, output: string): void {
  for (const form of forms(HUSH)) t.notOk(output.includes(form), `no ${form} in the log`)
  t.notMatch(output, /\?\w*=|token=|tenantId=|deviceId=/, 'no query in the log')
  t.notMatch(output, /"type":"Buffer"/, 'no bytes in the log')
}

async function startWithHooks (t: Test): Promise<{ hooks: HookServer, mics: MicsProcess, url: string }> {
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  // The token is not the user's name, which is logged.
  hooks.auth = ({ token, deviceId }) => token.startsWith('yes')
    ? { ok: true, userId: 'alice', deviceId }
    : { ok: false, reason: 'no' }
  const mics = MicsProcess.start(t, ['start'], {
    LOG_LEVEL: 'trace',
    DRAIN_TIMEOUT_SECONDS: '1',
    TENANT_AUTH_MAP: JSON.stringify({ t1: `${hooks.url}/t1`, down: 'http://127.0.0.1:1' }),
    TENANT_HOOK_SECRETS: JSON.stringify({ t1: `secret ${HUSH}` }),
  })
  return { hooks, mics, url: await mics.url() }
}

t.test('no token, no body and no query is in the log of clients who come, talk, fail and go', async t => {
  const { hooks, mics, url } = await startWithHooks(t)
  const query = await connectPatiently(t, url, { token: `yes ${HUSH}`, deviceId: 'query' })
  const subprotocol = await connectPatiently(t, url, { token: `yes ${HUSH}`, deviceId: 'subprotocol', asSubprotocol: true })
  await query.sendAndAck({ toUserId: 'bob', msgBody: body(HUSH) })
  await query.sendAndAck({ toUserId: '', msgBody: body(HUSH) })
  await query.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body(HUSH) })
  query.sendRaw(HUSH)
  query.sendRaw(Buffer.from(HUSH))
  await query.waitErrors(2)
  hooks.raw.set('check-message', response => response.writeHead(500).end(HUSH))
  await query.sendAndAck({ toUserId: 'bob', msgBody: body(HUSH) })
  hooks.raw.set('check-message', response => response.end(HUSH))
  await query.sendAndAck({ toUserId: 'bob', msgBody: body(HUSH) })

  for (const [options, code] of [
    [{ token: `no ${HUSH}` }, 4001], [{ token: `no ${HUSH}`, asSubprotocol: true }, 4001],
    [{ token: `yes ${HUSH}`, deviceId: '' }, 4001], [{ token: `yes ${HUSH}`, tenantId: '' }, 4002],
    [{ token: `yes ${HUSH}`, tenantId: 'nobody' }, 4002], [{ token: `yes ${HUSH}`, tenantId: 'down' }, 4503],
  ] as const) t.match(await TestClient.open(url, options).closed, { code })
  hooks.raw.set('auth', response => response.end(HUSH))
  t.match(await TestClient.open(url, { token: `yes ${HUSH}` }).closed, { code: 4503 })
  await query.drop()
  await mics.prints(/connection lost/)
  mics.signal('SIGTERM')
  t.match(await subprotocol.closed, { code: 4200 })
  t.equal(await mics.ended, 0)
  assertSilent(t, mics.stdout + mics.stderr)

  const connected = mics.log.filter(({ msg }) => msg === 'client connected')
  t.equal(connected.length, 2)
  const { traceId } = await query.connectAck()
  t.match(connected.find(line => line.deviceId === 'query'), { tenantId: 't1', nodeId: 'node-1', userId: 'alice', traceId })
  for (const line of mics.log) {
    t.equal(line.nodeId, 'node-1')
    if (/^(client|connection|hook call) /.test(String(line.msg))) t.match(line, { tenantId: String, traceId: /^[0-9a-f]{32}$/ }, String(line.msg))
  }
  const failedChecks = mics.log.filter(({ operation }) => operation === 'check-message')
  t.ok(failedChecks.length >= 2)
  for (const line of failedChecks) t.match(line, { msg: 'hook call failed', msgId: /./ })
  t.match(mics.log.find(({ code }) => code === 4002), { msg: 'connection refused', tenantId: 'unknown', requested: '' })
  t.match(mics.log.find(({ msg }) => msg === 'connection lost'), { tenantId: 't1', deviceId: 'query', code: 1006, traceId })
})

t.test('no query is in the log of requests that lead nowhere or are no HTTP', async t => {
  const { mics, url } = await startWithHooks(t)
  const query = `?tenantId=t1&deviceId=d1&token=${HUSH}`
  for (const path of ['/', '/nowhere', '/healthz', '/readyz', '/metrics', '/ws', '/ws/', '/%zz', '/healthz/%2e%2e']) {
    await (await fetch(`${url}${path}${query}`)).text()
    if (path === '/ws' || path === '/%zz') continue
    const ws = new WebSocket(`${url.replace('http', 'ws')}${path}${query}`)
    ws.on('error', () => {})
    await new Promise(resolve => { ws.on('close', resolve) })
  }
  await (await fetch(`${url}/ws${query}`, { method: 'POST', body: JSON.stringify({ HUSH }) })).text()
  await (await fetch(`${url}/nowhere${query}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: HUSH })).text()
  for (const request of [
    `GET /ws${query} HTTP/1.1\r\nno header\r\n\r\n`,
    `GET /ws${query} HTTP/9.9\r\n\r\n`,
    `GET /ws ${query} HTTP/1.1\r\nHost: gateway\r\n\r\n`,
    `GET /ws${query} HTTP/1.1\r\nHost: gateway\r\nX-Long: ${HUSH.repeat(5000)}\r\n\r\n`,
    `GET /ws${query} HTTP/1.1\r\n\r\n`,
    upgradeRequest(`/ws${query}`, { 'Sec-WebSocket-Version': '1' }),
    upgradeRequest(`/ws${query}`, { 'Sec-WebSocket-Key': HUSH }),
    upgradeRequest(`/ws${query}`, { Upgrade: HUSH }),
    upgradeRequest(`/ws${query}`, { 'Sec-WebSocket-Protocol': `mics.v1, mics.v1, ${HUSH}` }),
    `GET /ws${query} HTTP/1.1\r\nHost: gateway\r\n`,
  ]) {
    const client = await RawClient.connect(url)
    client.write(request)
    client.socket.end()
    await client.closed
  }
  mics.signal('SIGTERM')
  t.equal(await mics.ended, 0)
  assertSilent(t, mics.stdout + mics.stderr)
  t.ok(mics.log.some(({ msg }) => msg === 'client error'), 'the level is one at which such things are logged')
})
