import t from 'tap'
import { AckStatus, body, MessageType, TestClient, text } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import { HookServer } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { operations, PATIENT } from './hook-operations.js'

t.test('a tenant may choose to refuse messages whose check failed', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { checkMessageFailClosed: true }
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  gateway.hooks.raw.set('check-message', response => response.writeHead(500).end())
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const refused = { status: AckStatus.FAILED, reason: 'check unavailable' }
  const msgId = alice.send({ toUserId: 'bob' })
  t.match((await alice.waitAcks(1))[0], refused)
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' }), refused)
  await bob.roundTrip()
  t.equal(bob.messages.length, 0)
  t.equal(await gateway.metric('mics_check_message_degraded_total'), 0)

  gateway.hooks.raw.clear()
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgId }), { status: AckStatus.SENT, reason: '' }, 'a retry is processed')
  t.equal((await bob.waitMessages(1))[0].msgId, msgId)
})

t.test('a tenant may switch the check off: no call is made', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { checkMessageDisabled: true, checkMessageFailClosed: true }
  gateway.hooks.check = () => ({ allow: false })
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  t.equal((await alice.sendAndAck({ toUserId: 'bob', msgBody: body('one') })).status, AckStatus.SENT)
  const toGroup = { msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('all') }
  t.equal((await alice.sendAndAck(toGroup)).status, AckStatus.SENT)
  t.same((await bob.waitMessages(2)).map(text), ['one', 'all'])
  t.equal(gateway.hooks.callsOf('check-message').length, 0)
  t.equal(await gateway.metric('mics_check_message_degraded_total'), 0)
})

t.test('where all calls must be signed and there is no secret, nobody is let in and no call is made', async t => {
  const gateway = await startGateway(t, { HOOK_SIGN_REQUIRED: 'true' }, PATIENT)
  const { code } = await TestClient.open(gateway.url, { tenantId: 't2' }).closed
  t.equal(code, 4503)
  t.equal(gateway.hooks.calls.length, 0)
  t.equal(await gateway.metric('mics_hook_calls_total', { tenant: 't2', operation: 'auth', result: 'unsigned' }), 1)
  await gateway.connect('alice', { tenantId: 't1' })
  t.equal(gateway.hooks.calls.length, 1, 'the tenant with a secret is not concerned')
})

t.test('where the auth hook asks for signed calls and there is no secret, each operation is refused uncalled', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { hooks } = gateway
  hooks.config = { hookSignRequired: true, offlineUseHookPull: true }
  hooks.groups.set('g', ['alice', 'bob'])
  const alice = await gateway.connect('alice', { tenantId: 't2' })
  const bob = await gateway.connect('bob', { tenantId: 't2' })
  await until('the pulls were refused', async () =>
    await gateway.metric('mics_hook_calls_total', { operation: 'get-offline-messages', result: 'unsigned' }) === 2)
  const { status, reason } = await alice.sendAndAck({ toUserId: 'bob' })
  t.equal(status, AckStatus.FAILED)
  t.equal(reason, 'check unavailable', 'refused although failures of the check are let pass')
  t.equal((await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' })).status, AckStatus.FAILED)
  await bob.roundTrip()
  t.equal(bob.messages.length, 0)
  t.same(hooks.calls.map(({ operation }) => operation), ['auth', 'auth'], 'only auth, which the configuration leaves unsigned')
  t.equal(await gateway.metric('mics_check_message_degraded_total'), 0)
})

t.test('a group whose members cannot be asked for without a signature is refused', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { hookSignRequired: true, checkMessageDisabled: true }
  const alice = await gateway.connect('alice', { tenantId: 't2' })
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' }),
    { status: AckStatus.FAILED, reason: 'group members unavailable' })
  t.equal(gateway.hooks.callsOf('get-group-members').length, 0)
})

t.test('a secret from the auth hook is enough where calls must be signed', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { hookSignRequired: true, tenantSecret: 'from the auth hook', checkMessageFailClosed: true }
  const alice = await gateway.connect('alice', { tenantId: 't2' })
  t.equal((await alice.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
})

t.test('hook_base_url moves every hook but auth', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const elsewhere = await HookServer.start()
  t.teardown(() => elsewhere.close())
  gateway.hooks.config = { hookBaseUrl: `${elsewhere.url}/some/path/`, offlineUseHookPull: true }
  elsewhere.groups.set('g', ['alice', 'bob'])
  const alice = await gateway.connect('alice')
  await until('the offline messages were asked for', () => elsewhere.callsOf('get-offline-messages').length === 1)
  t.equal((await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' })).status, AckStatus.SENT)
  t.same(gateway.hooks.calls.map(({ operation }) => operation), ['auth'])
  t.same(elsewhere.calls.map(({ operation }) => operation).sort(),
    ['check-message', 'get-group-members', 'get-offline-messages'])
  await gateway.connect('bob')
  t.equal(gateway.hooks.callsOf('auth').length, 2, 'auth stays where the configuration has it')
})

t.test('settings hold for the connection that was admitted with them', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { checkMessageDisabled: true }
  const alice = await gateway.connect('alice')
  gateway.hooks.config = {}
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'carol' })
  t.equal(gateway.hooks.callsOf('check-message').length, 0)
  await bob.sendAndAck({ toUserId: 'carol' })
  t.equal(gateway.hooks.callsOf('check-message').length, 1)
})

t.test('an auth hook that answers with settings that cannot hold is refused with 4503', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  for (const config of [{ hookBaseUrl: 'file:///etc/passwd' }, { hookBaseUrl: 'not a URL' }, { hookMaxConcurrency: -1 }]) {
    gateway.hooks.config = config
    const { code, reason } = await TestClient.open(gateway.url).closed
    t.equal(code, 4503)
    t.notMatch(reason, /passwd|not a URL/)
  }
  gateway.hooks.config = {}
  t.equal(await (await operations.auth(gateway))(1), true)
})
