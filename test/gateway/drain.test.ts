import { once } from 'node:events'
import t, { type Test } from 'tap'
import { AckStatus, body, MessageType, text, TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { RawClient, upgradeRequest, wsPath } from '../helpers/raw-client.js'
import { PATIENT } from '../helpers/until.js'

/** Keeps the gateway draining, its clients gone, until `release` is called. */
function holdDrain (t: Test, gateway: TestGateway) {
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  const reached = new Promise<void>(resolve => {
    gateway.server.app.lifecycle.onDrain('held by the test', async () => {
      resolve()
      await released
    })
  })
  t.teardown(release)
  return { release, reached }
}

t.test('a ready node says so', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const response = await fetch(`${gateway.url}/readyz`)
  t.equal(response.status, 200)
  t.strictSame(await response.json(), { status: 'ready' })
})

t.test('while draining, /readyz is 503 with a reason, upgrades are refused with 503 and Retry-After, and it lives', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { release, reached } = holdDrain(t, gateway)
  const closed = gateway.server.close()
  await reached

  const ready = await fetch(`${gateway.url}/readyz`)
  t.equal(ready.status, 503)
  t.strictSame(await ready.json(), { status: 'draining', reason: 'this node is draining' })
  t.equal((await fetch(`${gateway.url}/healthz`)).status, 200)
  t.equal(await gateway.metric('mics_draining'), 1)
  t.ok(await gateway.metric('mics_stop_started_timestamp_seconds') > 1_700_000_000, 'in seconds')
  t.equal(await gateway.metric('mics_stop_limit_seconds'), 11, 'DRAIN_TIMEOUT_SECONDS and 10')

  const client = await RawClient.connect(gateway.url)
  client.write(upgradeRequest(wsPath('alice')))
  await client.receive('\r\n\r\n')
  t.match(client.received.toString(), /^HTTP\/1\.1 503 /)
  t.match(client.received.toString().toLowerCase(), /\r\nretry-after: \d+\r\n/)
  t.equal(gateway.hooks.calls.length, 0)
  release()
  await closed
  await client.closed
})

t.test('clients are closed with 4200', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const clients = [await gateway.connect('alice'), await gateway.connect('bob', { tenantId: 't2' })]
  await gateway.server.close()
  for (const client of clients) t.strictSame(await client.closed, { code: 4200, reason: 'this node is draining' })
  await gateway.server.closed
  t.equal(gateway.server.app.connections.count, 0)
})

t.test('closing twice is closing once', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  t.equal(gateway.server.close(), gateway.server.close())
  await gateway.server.close()
})

t.test('a message that waits for a slow check hook is still delivered and acked before 4200', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  let allow = (): void => {}
  let asked = 0
  const allowed = new Promise<void>(resolve => { allow = resolve })
  const bothAsked = new Promise<void>(resolve => {
    gateway.hooks.check = async () => {
      if (++asked === 2) resolve()
      await allowed
      return { allow: true }
    }
  })
  alice.send({ toUserId: 'bob', msgBody: body('single') })
  alice.send({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('group') })
  await bothAsked
  const closed = gateway.server.close()
  allow()
  await closed

  t.match(await alice.closed, { code: 4200 })
  t.match(await bob.closed, { code: 4200 })
  t.strictSame(alice.acks.map(({ status, reason }) => ({ status, reason })), [
    { status: AckStatus.SENT, reason: '' }, { status: AckStatus.SENT, reason: '' },
  ])
  t.strictSame(bob.messages.map(text).toSorted(), ['group', 'single'])
})

t.test('300 connections are all closed with 4200', async t => {
  const gateway = await startGateway(t, { HANDSHAKE_MAX_PER_SECOND: '10000' }, PATIENT)
  const clients: TestClient[] = []
  for (let i = 0; i < 300; i += 20) {
    clients.push(...await Promise.all(Array.from({ length: 20 }, (_, j) => gateway.connect(`user${i + j}`))))
  }
  await gateway.server.close()
  const ends = await Promise.all(clients.map(client => client.closed))
  t.equal(ends.filter(({ code }) => code === 4200).length, 300)
})

t.test('a client whose handshake is under way gets 4200 as well', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const held = new HeldAuth(gateway)
  const client = TestClient.open(gateway.url)
  await held.answered('valid:alice')
  const closed = gateway.server.close()
  t.match(await client.closed, { code: 4200 })
  await closed
  await held.release('valid:alice')
  t.equal(gateway.server.app.connections.count, 0)
})

t.test('a handshake that ends while the node drains is refused with 4200', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { release, reached } = holdDrain(t, gateway)
  const held = new HeldAuth(gateway)
  const client = TestClient.open(gateway.url)
  await held.answered('valid:alice')
  const closed = gateway.server.close()
  await reached
  await held.release('valid:alice')
  t.match(await client.closed, { code: 4200 })
  t.strictSame(client.frames, [])
  release()
  await closed
})

t.test('a peer that never answers the close frame does not hold it up', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = await RawClient.connect(gateway.url)
  client.write(upgradeRequest(wsPath('alice')))
  await client.receive('\r\n\r\n')
  while (gateway.server.app.connections.count === 0) await once(client.socket, 'data')
  await gateway.server.close()
  await client.closed
  t.ok(client.received.includes(Buffer.from([0x10, 0x68])), 'it was told 4200 all the same')
})

t.test('a peer that stopped reading does not hold it up', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  bob.ws.pause()
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(500_000) })
  await gateway.server.close()
  t.match(await alice.closed, { code: 4200 })
})

for (const [what, said] of [
  ['that has said nothing', ''],
  ['in the middle of its request', 'GET /healthz HTTP/1.1\r\nHost: gateway\r\n'],
  ['in the middle of its upgrade', upgradeRequest(wsPath('alice')).slice(0, -2)],
] as const) {
  t.test(`a connection ${what} does not hold it up`, async t => {
    const gateway = await startGateway(t, {}, PATIENT)
    const client = await RawClient.connect(gateway.url)
    client.write(said)
    await (await gateway.connect('bob')).roundTrip()
    await gateway.server.close()
    await client.closed
    t.equal(client.received.length, 0)
  })
}

t.test('an upgrade that comes while it closes does not hold it up', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const late = await RawClient.connect(gateway.url)
  // A peer that does not answer its close frame keeps the closing going for a moment.
  const silent = await RawClient.connect(gateway.url)
  silent.write(upgradeRequest(wsPath('bob')))
  await silent.receive('\r\n\r\n')
  while (gateway.server.app.connections.count === 0) await once(silent.socket, 'data')

  const closing = new Promise<void>(resolve => {
    gateway.server.app.server.on('removeListener', event => { if (event === 'upgrade') resolve() })
  })
  const closed = gateway.server.close()
  await closing
  late.write(upgradeRequest(wsPath('alice')))
  await closed
  await late.closed
  t.notMatch(late.received.toString(), / 101 /)
  t.equal(gateway.hooks.callsOf('auth').length, 1)
})

t.test('offline messages that end with the process are counted in the log', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  for (let i = 0; i < 3; i++) await alice.sendAndAck({ toUserId: 'away', msgBody: body('later') })
  const warned = t.capture(gateway.server.app.log, 'warn')
  await gateway.server.close()
  t.match(warned().map(({ args }) => args), [[{ messages: 3 }, 'messages for offline users end with this process']])
})
