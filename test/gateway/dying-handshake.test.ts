import { once } from 'node:events'
import t, { type Test } from 'tap'
import { body, text, TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { RawClient, upgradeRequest, wsPath } from '../helpers/raw-client.js'
import { PATIENT, until } from '../helpers/until.js'

/** Waits until the gateway holds nothing of any client, in any of the places where it could. */
async function nothingLeft (t: Test, gateway: TestGateway): Promise<void> {
  const { connections, handshakeGate, websocketServer, server } = gateway.server.app
  const tcpConnections = (): Promise<number> => new Promise((resolve, reject) => {
    server.getConnections((error, count) => error ? reject(error) : resolve(count))
  })
  await until('nothing is left of the clients', async () => connections.count === 0 && handshakeGate.inProgress === 0 &&
    websocketServer.clients.size === 0 && await tcpConnections() === 0)
  t.equal(connections.list().length, 0)
  t.equal(connections.countOfTenant('t1'), 0)
  t.equal(await gateway.metric('mics_connections'), 0)
}

/** A message waits for bob, who is not there. */
async function leaveMessage (gateway: TestGateway): Promise<void> {
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('for later') })
  await alice.close()
}

async function offlineMessages (gateway: TestGateway): Promise<number> {
  return await gateway.metric('mics_offline_messages', { tenant: 't1' })
}

t.test('a TCP connection that ends at any byte of the upgrade request leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const request = upgradeRequest(wsPath('bob'))
  for (const end of [0, 1, request.indexOf('\r\n') + 2, request.length - 2]) {
    const client = await RawClient.connect(gateway.url)
    client.write(request.slice(0, end))
    await client.drop()
  }
  await nothingLeft(t, gateway)
  t.equal(gateway.hooks.calls.length, 0)
  await (await gateway.connect('bob')).roundTrip()
})

t.test('a TCP connection that ends right behind the upgrade request leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (let i = 0; i < 20; i++) {
    const client = await RawClient.connect(gateway.url)
    client.write(upgradeRequest(wsPath('bob', `d${i}`)))
    // Half of them abruptly, half as far as TCP goes politely.
    if (i % 2 === 0) await client.drop()
    else client.socket.end()
  }
  await nothingLeft(t, gateway)
})

t.test('a client that resets the connection leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const held = new HeldAuth(gateway)
  const client = await RawClient.connect(gateway.url)
  client.write(upgradeRequest(wsPath('bob')))
  await held.answered('valid:bob')
  client.socket.resetAndDestroy()
  await until('the gateway has noticed', () => gateway.server.app.websocketServer.clients.size === 0)
  await held.release('valid:bob')
  await nothingLeft(t, gateway)
})

for (const how of ['drop', 'close'] as const) {
  t.test(`a client that ${how}s while the auth hook is asked leaves nothing, and takes no offline message with it`, async t => {
    const gateway = await startGateway(t, {}, PATIENT)
    await leaveMessage(gateway)
    const held = new HeldAuth(gateway, token => token === 'valid:bob')
    const client = TestClient.open(gateway.url, { token: 'valid:bob' })
    await held.answered('valid:bob')
    await client[how]()
    await until('the gateway has noticed', () => gateway.server.app.websocketServer.clients.size === 0)
    t.equal(gateway.server.app.handshakeGate.inProgress, 1, 'the hook is still at it')
    await held.release('valid:bob')

    await nothingLeft(t, gateway)
    t.equal(await offlineMessages(gateway), 1)
    t.equal(await gateway.metric('mics_connections_opened_total', { tenant: 't1' }), 1, 'alice alone was ever let in')
    const again = TestClient.open(gateway.url, { token: 'valid:bob' })
    t.teardown(() => again.ws.terminate())
    await held.release('valid:bob')
    t.strictSame((await again.waitMessages(1)).map(text), ['for later'])
  })
}

t.test('a client that is gone before a no, or before the hook fails, leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const held = new HeldAuth(gateway)
  for (const answer of [() => ({ ok: false }), () => { throw new Error('no') }]) {
    gateway.hooks.auth = answer
    const client = TestClient.open(gateway.url, { token: 'valid:bob' })
    await held.answered('valid:bob')
    await client.drop()
    await held.release('valid:bob')
    await nothingLeft(t, gateway)
  }
})

t.test('a client that drops right as the auth answer arrives leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { auth } = gateway.hooks
  const clients = new Map<string, TestClient>()
  gateway.hooks.auth = request => {
    // The end of the connection and the answer race each other to the gateway.
    clients.get(request.deviceId)?.ws.terminate()
    return auth(request)
  }
  for (let i = 0; i < 30; i++) {
    const deviceId = `d${i}`
    const client = TestClient.open(gateway.url, { token: 'valid:bob', deviceId })
    clients.set(deviceId, client)
    await client.closed
  }
  await nothingLeft(t, gateway)
})

t.test('a client that drops right after its connect_ack leaves nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (let i = 0; i < 30; i++) {
    const client = TestClient.open(gateway.url, { token: 'valid:bob', deviceId: `d${i}` })
    client.ws.once('message', () => client.ws.terminate())
    await client.closed
  }
  await nothingLeft(t, gateway)
  t.equal(await gateway.metric('mics_connections_opened_total', { tenant: 't1' }), 30)

  // And is no recipient any more.
  await leaveMessage(gateway)
  t.equal(await offlineMessages(gateway), 1)
})

t.test('a client that drops with messages still unchecked leaves nothing, and its messages arrive', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const bob = await gateway.connect('bob')
  const alice = await gateway.connect('alice')
  gateway.hooks.check = async () => {
    if (alice.ws.readyState !== alice.ws.CLOSED) await alice.drop()
    return { allow: true }
  }
  alice.send({ toUserId: 'bob', msgBody: body('last words') })
  t.strictSame((await bob.waitMessages(1)).map(text), ['last words'])
  await bob.close()
  await nothingLeft(t, gateway)
})

t.test('a connection whose client breaks the WebSocket protocol ends, before it is let in and after', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const held = new HeldAuth(gateway, token => token === 'valid:bob')
  for (const user of ['bob', 'alice']) {
    const client = await RawClient.connect(gateway.url)
    client.write(upgradeRequest(wsPath(user)))
    await client.receive('\r\n\r\n')
    if (user === 'bob') await held.answered('valid:bob')
    else await until('alice is connected', () => gateway.server.app.connections.count === 1)
    // A frame from a client must be masked; this one is not.
    client.write(Buffer.from([0x82, 1, 0]))
    await client.closed
    if (user === 'bob') await held.release('valid:bob')
    await nothingLeft(t, gateway)
  }
})

t.test('a frame beyond what the gateway receives ends the connection with 1009', async t => {
  const gateway = await startGateway(t, { MAX_MESSAGE_BYTES: '1024' }, PATIENT)
  const client = await gateway.connect('alice')
  client.sendRaw(Buffer.alloc(1024 * 1024))
  const [code] = await once(client.ws, 'close')
  t.equal(code, 1009)
  await nothingLeft(t, gateway)
})
