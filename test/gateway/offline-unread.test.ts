import t from 'tap'
import { body, type TestClient } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'
import { connectStalled, fillKernel, unsentBytes } from '../helpers/stalled.js'
import { until } from '../helpers/until.js'

// A message leaves the buffer only when the socket took it. What the kernel takes for a client that reads nothing is
// several megabytes; these tests send more than that.

const ROOMY = {
  OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1000',
  OFFLINE_BUFFER_MAX_BYTES_PER_USER: `${64 * 1024 * 1024}`,
}

const ids = (client: TestClient): string[] => client.messages.map(({ msgId }) => msgId)
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`)

/** Puts numbered messages of 100 kB into bob's offline buffer. */
async function buffer (alice: TestClient, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: Buffer.alloc(100_000) })
}

async function gone (gateway: TestGateway, user: string): Promise<void> {
  await until(`${user} is gone`, async () => gateway.server.app.connections.ofUser('t1', user).length === 0)
}

t.test('a client that dies before reading leaves the rest for the next connect', async t => {
  const gateway = await startGateway(t, ROOMY)
  const alice = await gateway.connect('alice')
  await buffer(alice, 120)
  const dead = await connectStalled(t, gateway, 'bob')
  await until('something is written', async () => await gateway.metric('mics_offline_delivered_total') > 0)
  dead.ws.terminate()
  await gone(gateway, 'bob')
  const written = await gateway.metric('mics_offline_delivered_total')
  t.ok(written > 0 && written < 120, `${written} of 120 were taken by the kernel`)
  t.equal(await gateway.metric('mics_offline_messages'), 120 - written)

  const bob = await gateway.connect('bob')
  await bob.waitMessages(120 - written)
  await bob.roundTrip()
  t.same(ids(bob), numbers(written, 120))
  t.equal(await gateway.metric('mics_offline_messages'), 0)
})

t.test('live messages sent during a long replay come after it, in order, and nothing twice', async t => {
  const gateway = await startGateway(t, ROOMY)
  const alice = await gateway.connect('alice')
  await buffer(alice, 80)
  const bob = await connectStalled(t, gateway, 'bob')
  await until('the replay is stuck', () => unsentBytes(gateway, 'bob') > 0)
  for (let i = 80; i < 100; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: body('live') })
  bob.ws.resume()
  await bob.waitMessages(100)
  await bob.roundTrip()
  t.equal(bob.frames[0].payload.case, 'connectAck')
  t.same(ids(bob), numbers(0, 100))
  t.equal(await gateway.metric('mics_offline_messages'), 0)
})

t.test('live messages that were not written when the client died come with its next connection', async t => {
  const gateway = await startGateway(t, { ...ROOMY, WS_MAX_BUFFERED_BYTES: `${64 * 1024 * 1024}` })
  const alice = await gateway.connect('alice')
  const dead = await connectStalled(t, gateway, 'bob')
  const fills = await fillKernel(gateway, alice, 'bob')
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: body('live') })
  dead.ws.terminate()
  await gone(gateway, 'bob')
  const kept = await gateway.metric('mics_offline_messages')
  t.ok(kept > 20 && kept < fills + 20, `${kept} were kept`)

  const bob = await gateway.connect('bob')
  await bob.waitMessages(kept)
  await bob.roundTrip()
  const all = [...Array.from({ length: fills }, (_, i) => `fill${i}`), ...numbers(0, 20)]
  t.same(ids(bob), all.slice(-kept))
})

t.test('what a device missed while another was there comes when it reconnects, and not twice to the other', async t => {
  const gateway = await startGateway(t, { ...ROOMY, WS_MAX_BUFFERED_BYTES: `${64 * 1024 * 1024}` })
  const alice = await gateway.connect('alice')
  const laptop = await gateway.connect('bob', { deviceId: 'laptop' })
  const phone = await connectStalled(t, gateway, 'bob', { deviceId: 'phone' })
  const fills = await fillKernel(gateway, alice, 'bob', 60_000, 'phone')
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: body('live') })
  const all = [...Array.from({ length: fills }, (_, i) => `fill${i}`), ...numbers(0, 20)]
  phone.ws.terminate()
  await until('the phone is gone', () => gateway.server.app.connections.ofUser('t1', 'bob').length === 1)
  const kept = await gateway.metric('mics_offline_messages')

  await laptop.waitMessages(all.length)
  await laptop.roundTrip()
  t.same(ids(laptop), all, 'the laptop got everything once')
  t.ok(kept > 20, `${kept} wait for the phone`)
  const back = await gateway.connect('bob', { deviceId: 'phone' })
  await back.waitMessages(kept)
  await back.roundTrip()
  t.same(ids(back), all.slice(-kept))
  await laptop.roundTrip()
  t.equal(laptop.messages.length, all.length)
  t.equal(await gateway.metric('mics_offline_messages'), 0)
})

t.test('two devices that die one after the other each get what they missed, once', async t => {
  const gateway = await startGateway(t, { ...ROOMY, WS_MAX_BUFFERED_BYTES: `${64 * 1024 * 1024}` })
  const alice = await gateway.connect('alice')
  const phone = await connectStalled(t, gateway, 'bob', { deviceId: 'phone' })
  const laptop = await connectStalled(t, gateway, 'bob', { deviceId: 'laptop' })
  await fillKernel(gateway, alice, 'bob', 60_000, 'phone')
  await until('the kernel is full for the laptop too', async () => {
    await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(60_000) })
    return unsentBytes(gateway, 'bob', 'laptop') > 240_000
  })
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: body('live') })
  phone.ws.terminate()
  await until('the phone is gone', () => gateway.server.app.connections.ofUser('t1', 'bob').length === 1)
  laptop.ws.terminate()
  await gone(gateway, 'bob')

  for (const deviceId of ['phone', 'laptop']) {
    const back = await gateway.connect('bob', { deviceId })
    await back.until(() => ids(back).includes('19'))
    await back.roundTrip()
    t.same(ids(back).slice(-20), numbers(0, 20), deviceId)
    t.equal(new Set(ids(back)).size, back.messages.length, `nothing twice to the ${deviceId}`)
  }
  t.equal(await gateway.metric('mics_offline_messages'), 0)
})

t.test('what a replaced connection had not written comes with the one that took its place', async t => {
  const gateway = await startGateway(t, { ...ROOMY, WS_MAX_BUFFERED_BYTES: `${64 * 1024 * 1024}` })
  const alice = await gateway.connect('alice')
  const dead = await connectStalled(t, gateway, 'bob')
  await fillKernel(gateway, alice, 'bob')
  for (let i = 0; i < 20; i++) await alice.sendAndAck({ toUserId: 'bob', msgId: `${i}`, msgBody: body('live') })
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgId: '20' })
  await bob.until(() => ids(bob).includes('20'))
  t.same(ids(bob).slice(-21), numbers(0, 21))
  dead.ws.resume()
  t.equal((await dead.closed).code, 4409)
  await bob.roundTrip()
  t.equal(new Set(ids(bob)).size, bob.messages.length, 'nothing twice')
  // What the socket of the old one had and had not confirmed comes to the new one at once and in its place, even
  // though the old one may take it yet.
  const repeated = ids(bob).filter(id => ids(dead).includes(id))
  t.same(ids(bob).slice(0, repeated.length), repeated)
  t.ok(repeated.length > 0)
})

t.test('what was queued when the client said goodbye is not written behind the close frame', async t => {
  const gateway = await startGateway(t, { ...ROOMY, WS_MAX_BUFFERED_BYTES: `${64 * 1024 * 1024}` })
  const alice = await gateway.connect('alice')
  const leaving = await connectStalled(t, gateway, 'bob')
  const sent = await fillKernel(gateway, alice, 'bob')
  leaving.ws.close(1000)
  leaving.ws.resume()
  await leaving.closed
  await gone(gateway, 'bob')
  const bob = await gateway.connect('bob')
  await until('all have come', () => ids(leaving).length + ids(bob).length >= sent)
  t.same([...ids(leaving), ...ids(bob)], numbers(0, sent).map(n => `fill${n}`))
})
