import t from 'tap'
import { AckStatus, body, MessageType, text, type TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { PATIENT } from './hook-operations.js'

const GROUP_CHAT = MessageType.GROUP_CHAT

interface Case {
  reason: string
  env?: NodeJS.ProcessEnv
  /** Before anybody connects. */
  prepare?: (gateway: TestGateway) => void
  messages: Array<Parameters<TestClient['send']>[0]>
}

// One for each way to fail that needs nothing but a message; alice sends.
const cases: Case[] = [
  { reason: 'missing to_user_id', messages: [{}, { groupId: 'g' }] },
  { reason: 'missing group_id', messages: [{ msgType: GROUP_CHAT }, { msgType: GROUP_CHAT, toUserId: 'bob' }] },
  {
    reason: 'invalid msg_type',
    messages: [2, 7, -1, 2 ** 31 - 1].map(msgType => ({ msgType: msgType as MessageType, toUserId: 'bob', groupId: 'g' })),
  },
  {
    reason: 'msg_body_too_large',
    env: { MAX_MESSAGE_BYTES: '100' },
    messages: [
      { toUserId: 'bob', msgBody: Buffer.alloc(101) },
      { msgType: GROUP_CHAT, groupId: 'full', msgBody: Buffer.alloc(101) },
    ],
  },
  {
    reason: 'not in this house',
    prepare: ({ hooks }) => { hooks.check = () => ({ allow: false, reason: 'not in this house' }) },
    messages: [{ toUserId: 'bob' }, { msgType: GROUP_CHAT, groupId: 'full' }],
  },
  {
    reason: 'message rejected',
    prepare: ({ hooks }) => { hooks.check = () => ({ allow: false }) },
    messages: [{ toUserId: 'bob' }],
  },
  {
    reason: 'group members unavailable',
    prepare: ({ hooks }) => hooks.raw.set('get-group-members', response => response.writeHead(500).end()),
    messages: [{ msgType: GROUP_CHAT, groupId: 'full' }],
  },
  {
    reason: 'group members empty',
    messages: ['empty', 'unknown', 'only alice', 'only alice, twice', 'nobody by name']
      .map(groupId => ({ msgType: GROUP_CHAT, groupId })),
  },
  {
    reason: 'group too large',
    env: { GROUP_MEMBERS_MAX_USERS: '2' },
    messages: [{ msgType: GROUP_CHAT, groupId: 'full' }],
  },
  {
    reason: 'delivery failed',
    env: { OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '0' },
    messages: [{ toUserId: 'away' }, { msgType: GROUP_CHAT, groupId: 'all away' }],
  },
  {
    reason: 'internal error',
    prepare: ({ server }) => {
      server.app.messageRouter.toUser = () => { throw new Error('a bug') }
      server.app.messageRouter.toGroup = () => Promise.reject(new Error('a bug'))
    },
    messages: [{ toUserId: 'bob' }, { msgType: GROUP_CHAT, groupId: 'full' }],
  },
]

for (const { reason, env, prepare, messages } of cases) {
  t.test(`a message fails with "${reason}", acked once and delivered to nobody`, async t => {
    const gateway = await startGateway(t, env, PATIENT)
    const { groups } = gateway.hooks
    groups.set('full', ['alice', 'bob', 'carol'])
    groups.set('only alice', ['alice'])
    groups.set('only alice, twice', ['alice', 'alice'])
    groups.set('nobody by name', ['', ''])
    groups.set('all away', ['alice', 'away', 'away too'])
    prepare?.(gateway)
    const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
    for (const message of messages) {
      t.match(await alice.sendAndAck(message), { status: AckStatus.FAILED, reason }, JSON.stringify(message.groupId))
    }
    await alice.roundTrip()
    await bob.roundTrip()
    t.equal(alice.acks.length, messages.length)
    t.same([alice.messages, bob.messages], [[], []])
    t.same([alice.errors, bob.errors], [[], []])
    // Reasons that a hook made up are not for labels.
    const label = reason === 'not in this house' ? 'check hook' : reason
    t.equal(await gateway.metric('mics_ack_failures_total', { tenant: 't1', reason: label }), messages.length)
    t.equal(await gateway.metric('mics_acks_total', { tenant: 't1', outcome: 'failed' }), messages.length)
  })
}

t.test('a body may be as large as allowed', async t => {
  const gateway = await startGateway(t, { MAX_MESSAGE_BYTES: '100' }, PATIENT)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  t.equal((await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(100) })).status, AckStatus.SENT)
  t.equal((await bob.waitMessages(1))[0].msgBody.length, 100)
})

t.test('a group may have as many members as allowed', async t => {
  const gateway = await startGateway(t, { GROUP_MEMBERS_MAX_USERS: '2' }, PATIENT)
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  t.equal((await alice.sendAndAck({ msgType: GROUP_CHAT, groupId: 'g' })).status, AckStatus.SENT)
  await bob.waitMessages(1)
})

t.test('beyond the tenant\'s messages a second: "tenant qps limited", and neither hook is asked', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { tenantMaxMessageQps: 3 }
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  for (let n = 0; n < 10; n++) alice.send(n % 2 ? { toUserId: 'bob' } : { msgType: GROUP_CHAT, groupId: 'g' })
  const acks = await alice.waitAcks(10)
  const failed = acks.filter(({ status }) => status === AckStatus.FAILED)
  t.same(new Set(failed.map(({ reason }) => reason)), new Set(['tenant qps limited']))
  // A busy machine may take its time over the ten.
  t.ok(failed.length > 0 && failed.length <= 7, `${failed.length} of 10`)
  t.equal((await bob.waitMessages(10 - failed.length)).length, 10 - failed.length)
  t.equal(gateway.hooks.callsOf('check-message').length, 10 - failed.length)
  t.equal(await gateway.metric('mics_rate_limited_total', { tenant: 't1', kind: 'message_qps' }), failed.length)
})

t.test('the same msg_id with other content: "msg_id conflict"', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  await alice.sendAndAck({ msgId: 'm', toUserId: 'bob', msgBody: body('one') })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob', msgBody: body('two') }),
    { status: AckStatus.FAILED, reason: 'msg_id conflict' })
  await bob.roundTrip()
  t.same(bob.messages.map(text), ['one'])
})

t.test('a failed message can be sent again with its id once the cause is gone', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const { messageRouter } = gateway.server.app
  const { toUser } = messageRouter
  messageRouter.toUser = () => { throw new Error('a bug') }
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const logged = t.capture(gateway.server.app.log, 'error')
  t.equal((await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' })).reason, 'internal error')
  t.match(logged()[0].args, [{ err: Error, tenantId: 't1', msgId: 'm' }, 'message failed unexpectedly'])
  messageRouter.toUser = toUser
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: AckStatus.SENT, reason: '' })
  await bob.waitMessages(1)
})

t.test('a message that fails holds up none that follow in its conversation', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.check = ({ message }) => ({ allow: text(message!) !== 'bad', reason: 'no' })
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  for (const line of ['one', 'bad', 'two', 'bad', 'three']) alice.send({ toUserId: 'bob', msgBody: body(line) })
  const acks = await alice.waitAcks(5)
  t.same(acks.map(({ reason }) => reason), ['', 'no', '', 'no', ''])
  t.same((await bob.waitMessages(3)).map(text), ['one', 'two', 'three'])
})

t.test('a hook\'s reason of any length gets to the client, shortened', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.check = () => ({ allow: false, reason: 'é'.repeat(10_000) })
  const alice = await gateway.connect('alice')
  const { reason } = await alice.sendAndAck({ toUserId: 'bob' })
  t.match(reason, /^é{100,1000}$/)
})
