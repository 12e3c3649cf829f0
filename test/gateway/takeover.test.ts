import t from 'tap'
import { WebSocket } from 'ws'
import { AckStatus, body, text, TestClient } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { PATIENT } from '../helpers/until.js'

t.test('a device that connects again replaces its former connection, which gets 4409', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  const old = await gateway.connect('bob')
  const fresh = await gateway.connect('bob')
  t.match(await old.closed, { code: 4409, reason: /replaced/ })

  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hi') })
  t.strictSame((await fresh.waitMessages(1)).map(text), ['hi'])
  t.equal(gateway.server.app.connections.count, 2)
  t.equal(await gateway.metric('mics_connections'), 2)
  t.equal(await gateway.metric('mics_connection_closes_total', { code: '4409' }), 1)
})

t.test('other devices, other users and other tenants are left alone', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const others = [
    await gateway.connect('bob', { deviceId: 'd2' }),
    await gateway.connect('alice'),
    await gateway.connect('bob', { tenantId: 't2' }),
  ]
  await gateway.connect('bob')
  await gateway.connect('bob')
  for (const client of others) await client.roundTrip()
  t.equal(gateway.server.app.connections.count, 4)
})

t.test('the old connection sends nothing more', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  const old = await gateway.connect('bob')
  // It goes on sending because it has not heard yet.
  old.ws.pause()
  const fresh = await gateway.connect('bob')
  old.send({ toUserId: 'alice', msgBody: body('late') })
  fresh.send({ toUserId: 'alice', msgBody: body('fresh') })
  await fresh.waitAcks(1)
  old.ws.resume()
  await old.closed
  await alice.roundTrip()
  t.strictSame(alice.messages.map(text), ['fresh'])
})

t.test('the close of the old connection does not take the new one out of the routes', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const old = await gateway.connect('bob')
  const fresh = await gateway.connect('bob')
  await old.closed
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('still here?') })
  await fresh.waitMessages(1)
  t.equal(await gateway.metric('mics_deliveries_total', { path: 'local' }), 1)
})

t.test('a message being checked when its sender is replaced is delivered, and the repeat on the new connection is a duplicate', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  const old = await gateway.connect('bob')
  let allow = (): void => {}
  const asked = new Promise<void>(resolve => {
    gateway.hooks.check = async () => {
      resolve()
      await new Promise<void>(resolve => { allow = resolve })
      return { allow: true }
    }
  })
  old.send({ msgId: 'm1', toUserId: 'alice', msgBody: body('once') })
  await asked
  const fresh = await gateway.connect('bob')
  await old.closed
  // A client that never saw the ack sends again, as it should.
  const ack = fresh.sendAndAck({ msgId: 'm1', toUserId: 'alice', msgBody: body('once') })
  allow()
  t.match(await ack, { status: AckStatus.SENT, reason: 'duplicate' })
  await alice.roundTrip()
  t.strictSame(alice.messages.map(text), ['once'])
})

t.test('twenty takeovers in a row while messages keep coming: each message is received once, in order, by one of them', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  const bobs = [await gateway.connect('bob')]

  let sent = 0
  const stop = new AbortController()
  const sending = (async () => {
    while (!stop.signal.aborted) {
      // A few at once, so that some are always on their way.
      const acks = Array.from({ length: 4 }, () => alice.sendAndAck({ toUserId: 'bob', msgBody: body(String(sent++)) }))
      for (const ack of await Promise.all(acks)) {
        if (ack.status !== AckStatus.SENT) throw new Error(`message ${ack.msgId} failed: ${ack.reason}`)
      }
    }
  })()
  for (let i = 0; i < 20; i++) {
    const before = sent
    bobs.push(await gateway.connect('bob'))
    await alice.until(() => sent > before)
  }
  stop.abort()
  await sending
  for (const old of bobs.slice(0, -1)) t.match(await old.closed, { code: 4409 })
  await bobs[20].roundTrip()

  t.ok(sent > 80, 'there was traffic')
  t.strictSame(bobs.flatMap(bob => bob.messages.map(text)), Array.from({ length: sent }, (_, i) => String(i)))
  t.equal(await gateway.metric('mics_offline_messages'), 0, 'nothing is left in the offline buffer')
  t.equal(gateway.server.app.connections.count, 2)
})

t.test('of two handshakes of one device, the older gives way, though the hook answers it later', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.auth = () => ({ ok: true, userId: 'bob' })
  const held = new HeldAuth(gateway)
  const older = TestClient.open(gateway.url, { token: 'older' })
  await held.answered('older')
  const newer = TestClient.open(gateway.url, { token: 'newer' })
  t.teardown(() => newer.ws.terminate())
  await held.release('newer')
  await newer.connectAck()
  await held.release('older')

  t.match(await older.closed, { code: 4409 })
  t.strictSame(older.frames, [], 'it was never let in')
  await newer.roundTrip()
  t.equal(newer.ws.readyState, WebSocket.OPEN)
  t.equal(gateway.server.app.connections.count, 1)
})

t.test('a device that connects again at the limits is let in', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { userMaxConnections: 1, tenantMaxConnections: 1 }
  const old = await gateway.connect('bob')
  const fresh = await gateway.connect('bob')
  t.match(await old.closed, { code: 4409 })
  await fresh.roundTrip()

  const other = TestClient.open(gateway.url, { token: 'valid:bob', deviceId: 'd2' })
  t.match(await other.closed, { code: 4429 }, 'the limits hold all the same')
})
