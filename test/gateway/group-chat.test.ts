import t from 'tap'
import { AckStatus, body, MessageType, text, type TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { PATIENT } from './hook-operations.js'

const toGroup = { msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('hi all') }

/** Connects `user:device` pairs. */
function connect (gateway: TestGateway, ...who: string[]): Promise<TestClient[]> {
  return Promise.all(who.map(async pair => {
    const [user, deviceId] = pair.split(':')
    return await gateway.connect(user, { deviceId })
  }))
}

/** What these clients got, once all that was on its way is there. */
async function received (clients: TestClient[]): Promise<string[][]> {
  await Promise.all(clients.map(client => client.roundTrip()))
  return clients.map(({ messages }) => messages.map(text))
}

t.test('every device of every member gets a group message once', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.groups.set('g', ['alice', 'bob', 'carol'])
  const [alice, ...others] = await connect(gateway, 'alice:phone', 'bob:phone', 'bob:laptop', 'bob:watch', 'carol:phone')
  const [outsider] = await connect(gateway, 'dave:phone')
  t.match(await alice.sendAndAck(toGroup), { status: AckStatus.SENT, reason: '', partialDelivery: false })
  t.same(await received(others), [['hi all'], ['hi all'], ['hi all'], ['hi all']])
  t.same(await received([outsider, alice]), [[], []])
  t.match(others[0].messages[0], { tenantId: 't1', userId: 'alice', deviceId: 'phone', groupId: 'g', toUserId: '' })
})

t.test('a member who is listed several times gets it once', async t => {
  const gateway = await startGateway(t, { GROUP_ROUTE_CHUNK_SIZE: '2' }, PATIENT)
  gateway.hooks.groups.set('g', ['bob', 'bob', 'carol', 'alice', 'bob', 'alice', 'carol', 'bob', 'nobody', 'nobody'])
  const [alice, phone, bob] = await connect(gateway, 'alice:laptop', 'alice:phone', 'bob:phone')
  t.match(await alice.sendAndAck(toGroup), { status: AckStatus.SENT, offlineBufferedUsers: 2 })
  t.same(await received([alice, phone, bob]), [[], ['hi all'], ['hi all']])
  const [carol] = await connect(gateway, 'carol:phone')
  await carol.waitMessages(1)
  t.same(await received([carol]), [['hi all']])
})

t.test('the sender\'s other devices get it once, member or not, and never the sending connection', async t => {
  for (const members of [['alice', 'bob'], ['bob']]) {
    const gateway = await startGateway(t, {}, PATIENT)
    gateway.hooks.groups.set('g', members)
    const [sending, phone, watch, bob] = await connect(gateway, 'alice:laptop', 'alice:phone', 'alice:watch', 'bob:phone')
    t.equal((await sending.sendAndAck(toGroup)).status, AckStatus.SENT)
    t.same(await received([sending, phone, watch, bob]), [[], ['hi all'], ['hi all'], ['hi all']], members.join())
  }
})

t.test('a tenant may choose that the sender\'s other devices get nothing', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { syncSenderDevices: false }
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [sending, phone, bob] = await connect(gateway, 'alice:laptop', 'alice:phone', 'bob:phone')
  await sending.sendAndAck(toGroup)
  await sending.sendAndAck({ toUserId: 'bob', msgBody: body('just you') })
  t.same(await received([sending, phone, bob]), [[], [], ['hi all', 'just you']])
})

t.test('one to one, every device of the recipient and the sender\'s other devices get it once', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const [sending, phone, bob, bobsWatch] = await connect(gateway, 'alice:laptop', 'alice:phone', 'bob:phone', 'bob:watch')
  await sending.sendAndAck({ toUserId: 'bob', msgBody: body('hello') })
  await sending.sendAndAck({ toUserId: 'alice', msgBody: body('note to self') })
  t.same(await received([sending, phone, bob, bobsWatch]), [[], ['hello', 'note to self'], ['hello'], ['hello']])
})

t.test('the ack says for how many offline members the message is kept and how many go without', async t => {
  const gateway = await startGateway(t, { GROUP_OFFLINE_BUFFER_MAX_USERS: '3' }, PATIENT)
  gateway.hooks.groups.set('g', ['bob', 'off1', 'off2', 'alice', 'off3', 'off4', 'off5'])
  const [alice, bob] = await connect(gateway, 'alice:phone', 'bob:phone')
  t.match(await alice.sendAndAck(toGroup), {
    status: AckStatus.SENT,
    reason: '',
    offlineBufferedUsers: 3,
    offlineSkippedUsers: 2,
    offlineNotifiedUsers: 0,
    partialDelivery: true,
  })
  t.same(await received([bob]), [['hi all']])
  t.equal(await gateway.metric('mics_offline_skipped_total', { tenant: 't1' }), 2)
  const late = await connect(gateway, 'off1:phone', 'off2:phone', 'off3:phone')
  for (const client of late) t.same((await client.waitMessages(1)).map(text), ['hi all'])
  t.same(await received(await connect(gateway, 'off4:phone', 'off5:phone')), [[], []])
})

t.test('where all offline members are kept for, the delivery is not partial', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.groups.set('g', ['off1', 'off2', 'alice'])
  const [alice] = await connect(gateway, 'alice:phone')
  t.match(await alice.sendAndAck(toGroup),
    { status: AckStatus.SENT, offlineBufferedUsers: 2, offlineSkippedUsers: 0, partialDelivery: false })
})

t.test('messages to a group arrive in the order sent, whichever hook answers first', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const [alice, bob] = await connect(gateway, 'alice:phone', 'bob:phone')
  const waiting: Array<() => void> = []
  gateway.hooks.members = () => new Promise(resolve => {
    waiting.push(() => resolve({ userIds: ['alice', 'bob'] }))
    // All have asked; the last one is answered first.
    if (waiting.length === 8) for (const answer of waiting.reverse()) answer()
  })
  const sent = Array.from({ length: 8 }, (_, n) => String(n))
  await Promise.all(sent.map(n => alice.sendAndAck({ ...toGroup, msgBody: body(n) })))
  t.same(await received([bob]), [sent])
})

t.test('a group of 5,000 is served in chunks, between which other tenants\' messages flow', async t => {
  const gateway = await startGateway(t, { GROUP_ROUTE_CHUNK_SIZE: '50' }, PATIENT)
  const members = Array.from({ length: 5000 }, (_, n) => `member-${n}`)
  gateway.hooks.groups.set('g', members)
  const online = await connect(gateway, 'member-0:d', 'member-2500:d', 'member-4999:d')
  const [alice] = await connect(gateway, 'alice:phone')
  const t2 = { tenantId: 't2' }
  const [carol, dave] = [await gateway.connect('carol', t2), await gateway.connect('dave', t2)]

  // What is done for the group and for dave, in the order in which it is done.
  const events: string[] = []
  const { connections } = gateway.server.app
  const ofUser = connections.ofUser.bind(connections)
  connections.ofUser = (tenantId, userId) => {
    events.push(tenantId === 't2' && userId === 'dave' ? 'dave' : tenantId)
    return ofUser(tenantId, userId)
  }
  const outcome = alice.sendAndAck(toGroup)
  const served = new AbortController()
  const chat = (async () => {
    while (!served.signal.aborted) await carol.sendAndAck({ toUserId: 'dave' })
  })()
  t.match(await outcome, {
    status: AckStatus.SENT, offlineBufferedUsers: 1024, offlineSkippedUsers: 5000 - 3 - 1024, partialDelivery: true,
  })
  served.abort()
  await chat
  t.same(await received(online), [['hi all'], ['hi all'], ['hi all']])
  t.ok(dave.messages.length > 0)

  const first = events.indexOf('t1')
  const between = events.slice(first, events.lastIndexOf('t1')).filter(event => event === 'dave').length
  t.ok(between > 0, `${between} messages to dave while the group was served`)
})
