import t from 'tap'
import { AckStatus, MessageType, TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import type { HookServer } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { PATIENT } from './hook-operations.js'

const FAILURES = [
  'timeout', 'network', 'status', 'too_large', 'undecodable', 'breaker_open', 'queue_full', 'unsigned', 'tenant_gone',
]

/** How many hook calls of a tenant failed. */
async function failuresOf (gateway: TestGateway, tenant: string): Promise<number> {
  const counts = FAILURES.map(async result => await gateway.metric('mics_hook_calls_total', { tenant, result }))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count)
}

function never<T> (): Promise<T> {
  return new Promise(() => {})
}

/** From now on t1's hooks take every call and answer none; those of t2, on the same server, go on as before. */
function hangT1 (hooks: HookServer): void {
  const { auth, check, members, offline } = hooks
  hooks.auth = request => request.meta?.tenantId === 't1' ? never() : auth(request)
  hooks.check = request => request.meta?.tenantId === 't1' ? never() : check(request)
  hooks.members = request => request.meta?.tenantId === 't1' ? never() : members(request)
  hooks.offline = request => request.meta?.tenantId === 't1' ? never() : offline(request)
}

t.test('while one tenant\'s hooks hang and its clients flood, the other tenant notices nothing', async t => {
  const gateway = await startGateway(t, { HOOK_QUEUE_TIMEOUT_MS: '100', DRAIN_TIMEOUT_SECONDS: '0' }, PATIENT)
  const { hooks } = gateway
  hooks.groups.set('g', ['alice', 'bob', 'carol'])
  const flooders = await Promise.all([1, 2, 3, 4].map(async n => await gateway.connect(`flooder${n}`)))
  const t2 = { tenantId: 't2' }
  const [alice, bob] = await Promise.all([gateway.connect('alice', t2), gateway.connect('bob', t2)])
  hangT1(hooks)

  const connecting = Array.from({ length: 20 }, (_, n) => TestClient.open(gateway.url, { token: `valid:late${n}` }))
  t.teardown(() => connecting.forEach(client => client.ws.terminate()))
  for (const flooder of flooders) {
    for (let n = 0; n < 200; n++) {
      flooder.send(n % 2 === 0 ? { toUserId: `user${n}` } : { msgType: MessageType.GROUP_CHAT, groupId: `g${n}` })
    }
  }
  await until('every slot of t1 is taken by a call that hangs', () =>
    hooks.callsOf('check-message').length === 32 && hooks.callsOf('get-group-members').length === 32)
  await until('t1 is short of slots', async () =>
    await gateway.metric('mics_hook_calls_total', { tenant: 't1', result: 'queue_full' }) > 0)

  for (let n = 1; n <= 20; n++) {
    t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
    const toGroup = { msgType: MessageType.GROUP_CHAT, groupId: 'g' }
    t.match(await bob.sendAndAck(toGroup), { status: AckStatus.SENT, reason: '' })
    await gateway.connect(`user${n}`, t2)
  }
  await bob.waitMessages(20)
  await alice.waitMessages(20)
  t.equal(await failuresOf(gateway, 't2'), 0)
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't2' }), 0)
  t.ok(connecting.every(client => client.frames.length === 0), 'while those of t1 still wait')
})

t.test('one tenant\'s open breaker is not the other\'s, although both use the same server', async t => {
  const gateway = await startGateway(t, { HOOK_BREAKER_OPEN_MS: '60000' }, PATIENT)
  const { hooks } = gateway
  const [mallory, alice] = await Promise.all([gateway.connect('mallory'), gateway.connect('alice', { tenantId: 't2' })])
  const bob = await gateway.connect('bob', { tenantId: 't2' })
  hooks.raw.set('check-message', response => response.writeHead(500).end())
  for (let n = 0; n < 5; n++) await mallory.sendAndAck({ toUserId: 'bob' })
  t.equal(await gateway.metric('mics_hook_breaker_state', { tenant: 't1', operation: 'check-message' }), 1)

  hooks.raw.clear()
  hooks.check = () => ({ allow: false, reason: 'asked' })
  t.match(await mallory.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.SENT }, 'not asked')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.FAILED, reason: 'asked' })
  t.equal(await gateway.metric('mics_hook_breaker_state', { tenant: 't2', operation: 'check-message' }), 0)
  t.equal(await failuresOf(gateway, 't2'), 0)
  await bob.roundTrip()
  t.equal(bob.messages.length, 0, 'nor does a message cross over')
})

t.test('a tenant\'s other operations go on while one hangs', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { hooks } = gateway
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  let answer = (): void => {}
  const gate = new Promise<void>(resolve => { answer = resolve })
  hooks.members = async () => {
    await gate
    return { userIds: ['bob'] }
  }
  const stuck = Array.from({ length: 64 }, (_, n) =>
    alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: `g${n}` }))
  await until('all slots are taken', () => hooks.callsOf('get-group-members').length === 32)

  for (let n = 0; n < 10; n++) t.equal((await bob.sendAndAck({ toUserId: 'alice' })).status, AckStatus.SENT)
  await gateway.connect('carol')
  t.equal(alice.acks.length, 0)
  answer()
  for (const { status } of await Promise.all(stuck)) t.equal(status, AckStatus.SENT)
  t.equal(await failuresOf(gateway, 't1'), 0)
})

t.test('the same user, device and message ids in two tenants are different users, devices and messages', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const [alice1, bob1] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const t2 = { tenantId: 't2' }
  const [alice2, bob2] = await Promise.all([gateway.connect('alice', t2), gateway.connect('bob', t2)])
  t.match(await alice1.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  t.match(await alice2.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  t.same((await bob1.waitMessages(1)).map(({ tenantId }) => tenantId), ['t1'])
  t.same((await bob2.waitMessages(1)).map(({ tenantId }) => tenantId), ['t2'])
})
