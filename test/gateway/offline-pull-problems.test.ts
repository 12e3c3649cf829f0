import type { MessageInitShape } from '@bufbuild/protobuf'
import t from 'tap'
import type { GetOfflineMessagesResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { ids, numbered, pullGateway, stored } from '../helpers/pull-gateway.js'

// What tenants' servers get wrong: the log says what and what to do, a metric counts it, and as much is delivered as
// can be.

interface Mistake {
  answer: MessageInitShape<typeof GetOfflineMessagesResponseSchema>
  delivers: string[]
  /** What the log says, besides `problem`. */
  explanation: RegExp
}

const [good, bad] = stored('good', 'bad')

const mistakes: Record<string, Mistake> = {
  not_ok: { answer: { messages: [good] }, delivers: [], explanation: /set ok/ },
  too_many_messages: {
    answer: { ok: true, messages: stored(...numbered('s', 101)) }, delivers: numbered('s', 100), explanation: /max_messages/,
  },
  no_cursor: { answer: { ok: true, messages: [good], hasMore: true }, delivers: ['good'], explanation: /next_cursor/ },
  // The same answer twice: its messages come once.
  repeated_cursor: {
    answer: { ok: true, messages: [good], nextCursor: 'x', hasMore: true }, delivers: ['good'], explanation: /next_cursor/,
  },
  long_cursor: {
    answer: { ok: true, messages: [good], nextCursor: 'x'.repeat(9000), hasMore: true }, delivers: ['good'], explanation: /characters/,
  },
  other_user: {
    answer: { ok: true, messages: [{ ...bad, toUserId: 'carol' }, good] }, delivers: ['good'], explanation: /neither to nor from/,
  },
  other_tenant: {
    answer: { ok: true, messages: [{ ...bad, tenantId: 't2' }, good] }, delivers: ['bad', 'good'], explanation: /tenant_id/,
  },
  no_sender: {
    answer: { ok: true, messages: [{ ...bad, userId: '' }, good] }, delivers: ['bad', 'good'], explanation: /user_id/,
  },
  too_large: {
    answer: { ok: true, messages: [{ ...bad, msgBody: Buffer.alloc(70_000) }, good] }, delivers: ['good'], explanation: /MAX_MESSAGE_BYTES/,
  },
}

for (const [problem, { answer, delivers, explanation }] of Object.entries(mistakes)) {
  t.test(`${problem} is counted and explained`, async t => {
    const gateway = await pullGateway(t, { MAX_MESSAGE_BYTES: '1024' })
    const warned = t.capture(gateway.server.app.log, 'warn')
    gateway.hooks.offline = ({ userId }) => userId === 'bob' ? answer : { ok: true }
    const alice = await gateway.connect('alice')
    const bob = await gateway.connect('bob')
    // Live messages come when the pull has ended.
    await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
    await bob.until(() => ids(bob).includes('live'))
    t.same(ids(bob), [...delivers, 'live'])
    for (const { tenantId } of bob.messages) t.equal(tenantId, 't1')
    const labels = { tenant: 't1', kind: problem }
    t.ok(await gateway.metric('mics_offline_pull_problems_total', labels) > 0)
    t.equal(await gateway.metric('mics_offline_pull_problems_total'),
      await gateway.metric('mics_offline_pull_problems_total', labels), 'nothing else is wrong')
    t.match(warned().map(({ args }) => args),
      [[{ tenantId: 't1', problem, explanation }, 'pulling offline messages: a problem']], 'one line for all of them')
  })
}

t.test('messages without a msg_id get one each, so that clients do not take them for repeats', async t => {
  const gateway = await pullGateway(t)
  gateway.hooks.offline = () => ({ ok: true, messages: stored('', '') })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(2)
  t.notOk(ids(bob).includes(''))
  t.equal(new Set(ids(bob)).size, 2)
  t.equal(await gateway.metric('mics_offline_pull_problems_total', { kind: 'no_msg_id' }), 2)
})

t.test('what the user sent from elsewhere, what is to a group, and what leaves ids empty is nothing unusual', async t => {
  const gateway = await pullGateway(t)
  const [message] = stored('m')
  gateway.hooks.offline = () => ({
    ok: true,
    messages: [
      { ...message, msgId: 'own', userId: 'bob', deviceId: 'other', toUserId: 'carol' },
      { ...message, msgId: 'group', msgType: MessageType.GROUP_CHAT, toUserId: 'carol', groupId: 'g' },
      { ...message, msgId: 'bare', tenantId: '', deviceId: '', toUserId: '' },
    ],
  })
  const bob = await gateway.connect('bob')
  await bob.waitMessages(3)
  t.same(ids(bob), ['own', 'group', 'bare'])
  t.equal(bob.messages[2].tenantId, 't1')
  t.equal(await gateway.metric('mics_offline_pull_problems_total'), 0)
})

t.test('more than ten pages are no mistake, but the log says that the rest comes with the next connection', async t => {
  const gateway = await pullGateway(t)
  const informed = t.capture(gateway.server.app.log, 'info')
  gateway.hooks.offline = ({ userId, cursor }) => userId === 'bob'
    ? { ok: true, messages: stored(`m${cursor}`), nextCursor: `${Number(cursor) + 1}`, hasMore: true }
    : { ok: true }
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'live' })
  await bob.until(() => ids(bob).includes('live'))
  t.equal(bob.messages.length, 11)
  const lines = informed().map(({ args }) => args as [object, string]).filter(([fields]) => 'problem' in fields)
  t.match(lines, [[{ tenantId: 't1', problem: 'more_left', explanation: /next one/ },
    'pulling offline messages: a problem']])
})
