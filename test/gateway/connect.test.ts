import { once } from 'node:events'
import { request } from 'node:http'
import t from 'tap'
import { WebSocket } from 'ws'
import { body, text, TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { upgradeRequest, wsPath, RawClient } from '../helpers/raw-client.js'
import { PATIENT } from '../helpers/until.js'

function subprotocolOf (token: string): string {
  return `mics.token.${Buffer.from(token).toString('base64url')}`
}

/** The status of an upgrade that is refused before it becomes a WebSocket. */
async function upgradeStatus (gateway: TestGateway, path: string): Promise<number | undefined> {
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}${path}`)
  ws.on('error', () => {})
  const [, response] = await once(ws, 'unexpected-response')
  response.destroy()
  return response.statusCode
}

t.test('connect_ack comes first and says who connected, where, and under which trace', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = await gateway.connect('alice', { deviceId: 'phone' })
  t.equal(client.frames[0].payload.case, 'connectAck')
  t.match(client.frames[0].payload.value, { code: 1000, tenantId: 't1', userId: 'alice', deviceId: 'phone', nodeId: 'node-1' })
  const { traceId } = await client.connectAck()
  t.match(traceId, /^[0-9a-f]{32}$/)
  t.equal(gateway.hooks.callsOf('auth')[0].meta.traceId, traceId, 'the auth hook was called under the same trace')

  const other = await gateway.connect('bob')
  t.not((await other.connectAck()).traceId, traceId)
})

t.test('the token may travel in the query, and no subprotocol is answered where none was offered', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = await gateway.connect('alice')
  t.equal(client.ws.protocol, '')
})

t.test('the token may travel as a subprotocol, answered with mics.v1', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  // Characters that plain base64 would write as + and /.
  const user = 'ålice ~~~???>>>'
  const client = await gateway.connect(user, { asSubprotocol: true })
  t.equal(client.ws.protocol, 'mics.v1')
  t.equal((await client.connectAck()).userId, user)
})

t.test('a subprotocol alone is answered too, and the order of subprotocols does not matter', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (const protocols of [['mics.v1'], [subprotocolOf('valid:alice'), 'mics.v1']]) {
    const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}${wsPath('alice')}`, protocols)
    await once(ws, 'open')
    t.equal(ws.protocol, 'mics.v1')
    ws.close()
    await once(ws, 'close')
  }
})

t.test('where both carry a token, the subprotocol wins', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}${wsPath('mallory')}`, ['mics.v1', subprotocolOf('valid:alice')])
  await once(ws, 'message')
  t.equal(gateway.server.app.connections.ofUser('t1', 'alice').length, 1)
  t.equal(gateway.server.app.connections.ofUser('t1', 'mallory').length, 0)
  ws.close()
  await once(ws, 'close')
})

t.test('parameters are decoded, and the last of several holds', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const ws = new WebSocket(`${gateway.url.replace('http', 'ws')}/ws?tenantId=nobody&tenantId=t1&token=valid%3Aal%20ice&deviceId=d%261`)
  await once(ws, 'message')
  t.equal(gateway.server.app.connections.ofDevice('t1', 'al ice', 'd&1')?.userId, 'al ice')
  ws.close()
  await once(ws, 'close')
})

t.test('the auth hook may rename the device', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.auth = ({ token }) => ({ ok: true, userId: token, deviceId: 'canonical' })
  const client = await gateway.connect('alice', { token: 'alice', deviceId: 'says-who' })
  t.equal((await client.connectAck()).deviceId, 'canonical')

  const again = await gateway.connect('alice', { token: 'alice', deviceId: 'says-who-else' })
  t.match(await client.closed, { code: 4409 }, 'the new name is the one that counts')
  await again.sendAndAck({ toUserId: 'bob', deviceId: 'says-who-else' })
  const bob = await gateway.connect('bob', { token: 'bob' })
  t.equal((await bob.waitMessages(1))[0].deviceId, 'canonical')
})

t.test('an auth hook that does not name the device leaves it its own name', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.auth = ({ token }) => ({ ok: true, userId: token })
  const client = await gateway.connect('alice', { token: 'alice', deviceId: 'mine' })
  t.equal((await client.connectAck()).deviceId, 'mine')
})

t.test('the same user name in two tenants is two people', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const ours = await gateway.connect('bob')
  const theirs = await gateway.connect('bob', { tenantId: 't2' })
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', tenantId: 't2' })
  await ours.waitMessages(1)
  await theirs.roundTrip()
  t.equal(theirs.messages.length, 0)
  t.equal(ours.ws.readyState, WebSocket.OPEN, 'nor does one replace the other')
})

t.test('frames sent before the connect_ack are handled after it, in order', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const bob = await gateway.connect('bob')
  const held = new HeldAuth(gateway)
  const alice = TestClient.open(gateway.url, { token: 'valid:alice', deviceId: 'd2' })
  t.teardown(() => alice.ws.terminate())
  await once(alice.ws, 'open')
  for (let i = 0; i < 100; i++) alice.send({ toUserId: 'bob', msgBody: body(String(i)) })
  // The gateway has read them when it answers a ping that was sent behind them.
  const pong = once(alice.ws, 'pong')
  alice.ws.ping()
  await pong
  await held.release('valid:alice')

  t.strictSame((await bob.waitMessages(100)).map(text), Array.from({ length: 100 }, (_, i) => String(i)))
  await alice.waitAcks(100)
  t.equal(alice.frames[0].payload.case, 'connectAck')
})

t.test('a client that floods before it is let in loses nothing and is heard once it is', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const bob = await gateway.connect('bob')
  const alice = TestClient.open(gateway.url, { token: 'valid:alice' })
  t.teardown(() => alice.ws.terminate())
  await once(alice.ws, 'open')
  // Several times what is held before reading pauses.
  for (let i = 0; i < 50; i++) alice.send({ toUserId: 'bob', msgBody: Buffer.alloc(8192, i) })
  t.strictSame((await bob.waitMessages(50)).map(({ msgBody }) => msgBody[0]), Array.from({ length: 50 }, (_, i) => i))
})

t.test('GET /ws without an upgrade is answered 426 and says what to do', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const response = await fetch(`${gateway.url}/ws?tenantId=t1`)
  t.equal(response.status, 426)
  t.equal(response.headers.get('upgrade'), 'websocket')
  t.match(await response.json(), { error: /WebSocket/ })
  t.equal(gateway.hooks.calls.length, 0)
})

t.test('unknown paths are 404, upgraded or not', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (const path of ['/', '/nowhere', '/ws/', '/ws/more', '/WS']) {
    t.equal((await fetch(`${gateway.url}${path}`)).status, 404, `GET ${path}`)
    t.equal(await upgradeStatus(gateway, path), 404, `upgrade ${path}`)
  }
  t.equal((await fetch(`${gateway.url}/ws`, { method: 'POST' })).status, 404)
})

t.test('what is no WebSocket cannot be upgraded to one', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (const path of ['/healthz', '/readyz', '/metrics']) t.equal(await upgradeStatus(gateway, path), 404, path)
})

t.test('an upgrade that breaks RFC 6455 is answered 400 and not let in', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (const [name, value] of [['Sec-WebSocket-Version', '12'], ['Sec-WebSocket-Key', 'short']]) {
    const client = await RawClient.connect(gateway.url)
    client.write(upgradeRequest(wsPath('alice'), { [name]: value }))
    await client.closed
    t.match(client.received.toString(), /^HTTP\/1\.1 400 /)
  }
  const post = request(`${gateway.url}${wsPath('alice')}`, { method: 'POST', headers: { connection: 'upgrade', upgrade: 'websocket' } }).end()
  post.on('error', () => {})
  const [response] = await once(post, 'response')
  t.equal(response.statusCode, 404)
  post.destroy()
  t.equal(gateway.hooks.calls.length, 0)
})

t.test('compression is not offered, although the client would take it', async t => {
  const gateway = await startGateway(t)
  const client = await gateway.connect('alice')
  t.equal(client.ws.extensions, '')
})
