import { once } from 'node:events'
import t from 'tap'
import { TestClient, type ClientOptions } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { PATIENT, until } from '../helpers/until.js'

function open (gateway: TestGateway, user: string, options: ClientOptions = {}): TestClient {
  return TestClient.open(gateway.url, { token: `valid:${user}`, ...options })
}

t.test("at the tenant's limit the next connection gets 4429, and a place is free once one leaves", async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { tenantMaxConnections: 2 }
  const alice = await gateway.connect('alice')
  await gateway.connect('bob')
  t.strictSame(await open(gateway, 'carol').closed, { code: 4429, reason: 'connection limit of the tenant reached' })
  t.equal(await gateway.metric('mics_rate_limited_total', { tenant: 't1', kind: 'tenant_connections' }), 1)
  t.equal(await gateway.metric('mics_connection_closes_total', { tenant: 't1', code: '4429' }), 1)
  t.equal(await gateway.metric('mics_tenant_connections_limit', { tenant: 't1' }), 2, 'an alert can compare')

  const other = await gateway.connect('carol', { tenantId: 't2' })
  await other.roundTrip()

  await alice.close()
  await until('the place is free', async () => await gateway.metric('mics_connections', { tenant: 't1' }) === 1)
  await gateway.connect('carol')
})

t.test("at the user's limit the next device gets 4429, other users do not, and a place is free once one leaves", async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { userMaxConnections: 2 }
  const phone = await gateway.connect('alice', { deviceId: 'phone' })
  await gateway.connect('alice', { deviceId: 'laptop' })
  t.strictSame(await open(gateway, 'alice', { deviceId: 'watch' }).closed, { code: 4429, reason: 'connection limit of the user reached' })
  t.equal(await gateway.metric('mics_rate_limited_total', { tenant: 't1', kind: 'user_connections' }), 1)
  await gateway.connect('bob', { deviceId: 'watch' })

  // Lost without a close frame: the place is free as soon as the gateway hears of it.
  await phone.drop()
  await until('the place is free', () => gateway.server.app.connections.ofUser('t1', 'alice').length === 1)
  await gateway.connect('alice', { deviceId: 'watch' })
})

t.test('connections let in at the same moment do not pass the limit together', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { userMaxConnections: 3 }
  const clients = Array.from({ length: 12 }, (_, i) => open(gateway, 'alice', { deviceId: `d${i}` }))
  t.teardown(() => { for (const client of clients) client.ws.terminate() })
  const ends = await Promise.all(clients.map(async client =>
    await Promise.race([client.connectAck().then(() => 1000, () => 0), client.closed.then(({ code }) => code)])))
  // Which of a refused client's two promises settles first is of no interest.
  t.equal(ends.filter(code => code === 1000).length, 3)
  t.equal(gateway.server.app.connections.countOfTenant('t1'), 3)
})

t.test('HANDSHAKE_MAX_IN_PROGRESS: a storm is shed with 4503 while another tenant still gets in', async t => {
  const gateway = await startGateway(t, { HANDSHAKE_MAX_IN_PROGRESS: '4' }, PATIENT)
  const held = new HeldAuth(gateway, (token, tenantId) => tenantId === 't1' && token !== 'valid:d')
  const { handshakeGate } = gateway.server.app
  const first = [open(gateway, 'a'), open(gateway, 'b')]
  t.teardown(() => { for (const client of first) client.ws.terminate() })
  await Promise.all([held.answered('valid:a'), held.answered('valid:b')])
  t.equal(handshakeGate.inProgress, 2)
  t.equal(await gateway.metric('mics_handshakes_in_progress'), 2)

  t.strictSame(await open(gateway, 'c').closed, { code: 4503, reason: 'too many connections at once: retry with backoff' })
  t.equal(gateway.hooks.callsOf('auth').length, 2, 'the hook was spared')
  t.equal(await gateway.metric('mics_rate_limited_total', { tenant: 't1', kind: 'handshake' }), 1)
  await gateway.connect('c', { tenantId: 't2' })

  await Promise.all([held.release('valid:a'), held.release('valid:b')])
  for (const client of first) await client.connectAck()
  t.equal(handshakeGate.inProgress, 0)
  await gateway.connect('d')
})

t.test('HANDSHAKE_MAX_PER_SECOND: a storm is shed with 4503 while another tenant still gets in', async t => {
  // Slow enough to refill that the test is over before.
  const gateway = await startGateway(t, { HANDSHAKE_MAX_PER_SECOND: '2' }, PATIENT)
  await gateway.connect('a')
  t.match(await open(gateway, 'b').closed, { code: 4503, reason: /too many connections/ })
  const calls = gateway.hooks.callsOf('auth').length
  t.equal(calls, 1, 'the hook was spared')
  await gateway.connect('b', { tenantId: 't2' })
  t.equal(await gateway.metric('mics_rate_limited_total', { kind: 'handshake' }), 1)

  // The bucket fills again.
  let client = open(gateway, 'b')
  while (await Promise.race([client.closed.then(({ code }) => code === 4503), once(client.ws, 'message').then(() => false)])) {
    client = open(gateway, 'b')
  }
  await client.connectAck()
  await client.close()
})

t.test('what is refused before its auth hook takes nothing of the gate', async t => {
  const gateway = await startGateway(t, { HANDSHAKE_MAX_PER_SECOND: '2' }, PATIENT)
  for (const options of [{ tenantId: 'nobody' }, { token: '' }, { deviceId: '' }]) await open(gateway, 'a', options).closed
  await gateway.connect('a')
})
