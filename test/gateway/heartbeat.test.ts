import { once } from 'node:events'
import { create, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { ClientFrameSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { body } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import { RawClient, upgradeRequest, wsPath } from '../helpers/raw-client.js'
import { PATIENT } from '../helpers/until.js'

t.test("a client that is silent for its tenant's window is closed with 4100", async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 1 }
  const startedAt = Date.now()
  const alice = await gateway.connect('alice')
  t.strictSame(await alice.closed, { code: 4100, reason: 'heartbeat timeout' })
  // Clocks and timers round; far too early is still far too early.
  t.ok(Date.now() - startedAt > 900, 'and not before the window is over')
  t.equal(gateway.server.app.connections.count, 0)
  t.equal(await gateway.metric('mics_connection_closes_total', { code: '4100' }), 1)
})

t.test('any frame keeps a client alive, one that is answered with an error too', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 2 }
  const [pings, messages, garbage] = await Promise.all(['p', 'm', 'g'].map(async user => await gateway.connect(user)))
  let rounds = 0
  // The end of a silent client shows that the window has passed; the end of the next that it has passed twice.
  for (const user of ['silent', 'silent too']) {
    const silent = await gateway.connect(user)
    while (silent.ws.readyState !== silent.ws.CLOSED) {
      rounds++
      await pings.roundTrip()
      await messages.sendAndAck({ toUserId: 'nobody', msgBody: body('x') })
      garbage.sendRaw('text')
      await garbage.waitErrors(rounds)
    }
    t.match(await silent.closed, { code: 4100 })
  }
  for (const client of [pings, messages, garbage]) t.equal(client.ws.readyState, client.ws.OPEN)
})

t.test('every connection has the window that its own auth answer gave it', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.auth = ({ meta, deviceId }) => ({
    ok: true,
    userId: 'alice',
    config: { heartbeatTimeoutSeconds: meta?.tenantId === 't1' && deviceId === 'hasty' ? 1 : 60 },
  })
  const patient = await gateway.connect('alice', { deviceId: 'patient' })
  const elsewhere = await gateway.connect('alice', { deviceId: 'hasty', tenantId: 't2' })
  const hasty = await gateway.connect('alice', { deviceId: 'hasty' })
  t.match(await hasty.closed, { code: 4100 })
  await patient.roundTrip()
  await elsewhere.roundTrip()
})

t.test('a frame that takes longer than the window to arrive is no silence', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 1 }
  const client = await RawClient.connect(gateway.url)
  t.teardown(() => client.drop())
  client.write(upgradeRequest(wsPath('alice')))
  await client.receive('alice')
  const message = toBinary(ClientFrameSchema, create(ClientFrameSchema, {
    payload: { case: 'message', value: { msgId: 'large', toUserId: 'bob', msgBody: Buffer.alloc(300_000, 'x') } },
  }))
  // A masked frame with a 64-bit length; a mask of zeros changes nothing.
  const header = Buffer.alloc(14)
  header.set([0x82, 0xff])
  header.writeBigUInt64BE(BigInt(message.length), 2)
  client.write(header)
  // A piece a tick, until a client that says nothing was cut off twice.
  let sent = 0
  const pieces = setInterval(() => {
    client.write(Buffer.from(message.subarray(sent, sent + 2000)))
    sent += 2000
  }, 25)
  t.teardown(() => clearInterval(pieces))
  for (const user of ['silent', 'silent too']) t.match(await (await gateway.connect(user)).closed, { code: 4100 })
  clearInterval(pieces)
  t.ok(sent < message.length, 'it is still arriving')
  client.write(Buffer.from(message.subarray(sent)))
  await client.receive('large')
})

t.test('a pong is no heartbeat: pings keep proxies awake, not the client', async t => {
  const gateway = await startGateway(t, { WS_KEEPALIVE_INTERVAL_SECONDS: '1' }, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 2 }
  const alice = await gateway.connect('alice')
  // ws answers a ping with a pong by itself.
  let pings = 0
  alice.ws.on('ping', () => { pings++ })
  t.match(await alice.closed, { code: 4100 })
  t.ok(pings >= 1, 'it was pinged, and did answer')
})

t.test('WS_KEEPALIVE_INTERVAL_SECONDS pings every connection, again and again', async t => {
  const gateway = await startGateway(t, { WS_KEEPALIVE_INTERVAL_SECONDS: '1' }, PATIENT)
  const clients = [await gateway.connect('alice'), await gateway.connect('bob', { tenantId: 't2' })]
  await Promise.all(clients.map(async ({ ws }) => {
    await once(ws, 'ping')
    await once(ws, 'ping')
  }))
  for (const client of clients) await client.roundTrip()
})

t.test('WS_KEEPALIVE_INTERVAL_SECONDS=0 pings nobody', async t => {
  const gateway = await startGateway(t, { WS_KEEPALIVE_INTERVAL_SECONDS: '0' }, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 1 }
  const alice = await gateway.connect('alice')
  alice.ws.on('ping', () => t.fail('pinged'))
  await alice.closed
})

t.test('a client that the gateway does not read from is not taken for silent', async t => {
  const gateway = await startGateway(t, { SESSION_MAX_INFLIGHT: '1' }, PATIENT)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 1, hookMaxConcurrency: 1 }
  // Each check takes most of what it may, one after the other: longer than the window in all.
  gateway.hooks.check = async () => {
    await new Promise(resolve => { setTimeout(resolve, 50) })
    return { allow: true }
  }
  const alice = await gateway.connect('alice')
  for (let i = 0; i < 30; i++) alice.send({ toUserId: 'bob', msgBody: body('x') })
  await alice.waitAcks(30)
  await alice.roundTrip()
})
