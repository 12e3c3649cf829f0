import t, { type Test } from 'tap'
import { AckStatus, MessageType } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import { OfflineEventRecorder } from '../helpers/offline-events.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { connectStalled, fillKernel } from '../helpers/stalled.js'
import { TRACED, traceOf, traceWith, verdicts } from '../helpers/traces.js'

async function start (t: Test, env: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
  return await startPatientGateway(t, { ...TRACED, ...env })
}

const PASSED = ['validate: ok', 'rate_limit: ok', 'dedup: first', 'check_hook: allowed', 'turn: at once']

t.test('a message that arrived shows who got it, and that the socket took it', async t => {
  const { server, connect } = await start(t)
  const alice = await connect('alice')
  await connect('bob', { deviceId: 'phone' })
  await connect('alice', { deviceId: 'laptop' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1', msgBody: Buffer.from('not for operators') })
  const rows = await traceWith(server.app, 'm1', 'written')
  t.match(rows[0], {
    stage: 'received',
    node: 'node-1',
    user_id: 'alice',
    device_id: 'd1',
    to_user_id: 'bob',
    body_bytes: 17,
    trace_id: (await alice.connectAck()).traceId,
  })
  t.same(verdicts(rows).slice(1, 6), PASSED)
  t.match(rows.filter(({ stage }) => stage === 'device').map(({ user_id: user, device_id: device }) => [user, device]),
    [['bob', 'phone'], ['alice', 'laptop']])
  t.ok(verdicts(rows).includes('ack: SENT'))
  t.match(rows.find(({ stage }) => stage === 'users'), { delivered: 1, buffered: 0, notified: 0, skipped: 0 })
  t.notMatch(JSON.stringify(rows), 'operators')
  t.same(rows.map(({ time }) => time), rows.map(({ time }) => time).sort())
})

t.test('a message that was refused shows which stage refused it and why', async t => {
  const { server, hooks, connect } = await start(t, { MAX_MESSAGE_BYTES: '100' })
  const alice = await connect('alice')
  const endOf = async (msgId: string): Promise<string[]> => verdicts(await traceOf(server.app, msgId)).slice(-2)

  await alice.sendAndAck({ toUserId: 'bob', msgId: 'large', msgBody: Buffer.alloc(101) })
  t.same(await endOf('large'), ['validate: msg_body_too_large', 'ack: FAILED: msg_body_too_large'])
  await alice.sendAndAck({ msgId: 'nobody' })
  t.same(await endOf('nobody'), ['validate: missing to_user_id', 'ack: FAILED: missing to_user_id'])

  hooks.check = () => ({ allow: false, reason: 'spam' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'spam' })
  t.same((await endOf('spam')).at(-1), 'ack: FAILED: spam')
  t.ok(verdicts(await traceOf(server.app, 'spam')).includes('check_hook: refused: spam'))

  hooks.raw.set('check-message', response => response.writeHead(500).end())
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'unchecked' })
  t.ok(verdicts(await traceOf(server.app, 'unchecked')).includes('check_hook: no answer: status'))
  t.equal((await endOf('unchecked'))[0], 'ack: SENT', 'it went on unchecked')
})

t.test('a message beyond the tenant\'s limit shows it', async t => {
  const { server, hooks, connect } = await start(t)
  hooks.config = { tenantMaxMessageQps: 1 }
  const alice = await connect('alice')
  const failed = async (): Promise<string> => {
    for (let i = 0; ; i++) {
      const ack = await alice.sendAndAck({ toUserId: 'bob', msgId: `m${i}` })
      if (ack.status === AckStatus.FAILED) return ack.msgId
    }
  }
  t.same(verdicts(await traceOf(server.app, await failed())).slice(2),
    ['rate_limit: limited', 'ack: FAILED: tenant qps limited'])
})

t.test('a repeat shows beside the first', async t => {
  const { server, connect } = await start(t)
  const alice = await connect('alice')
  await connect('bob')
  for (const msgBody of ['one', 'one', 'two']) {
    await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1', msgBody: Buffer.from(msgBody) })
  }
  const rows = verdicts(await traceOf(server.app, 'm1'))
  t.same(rows.filter(row => row.startsWith('dedup') || row.startsWith('ack')), [
    'dedup: first', 'ack: SENT', 'dedup: duplicate', 'ack: SENT: duplicate', 'dedup: conflict', 'ack: FAILED: msg_id conflict',
  ])
})

t.test('a message for a user who is away shows that it waits, and when it has been read', async t => {
  const { server, connect } = await start(t)
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' })
  t.match((await traceOf(server.app, 'm1')).filter(({ stage }) => stage === 'buffer'), [{ result: 'kept here', user_id: 'bob' }])
  await connect('bob', { deviceId: 'phone' })
  t.match((await traceWith(server.app, 'm1', 'written')).filter(({ stage }) => stage === 'written'), [{ user_id: 'bob', device_id: 'phone' }])
})

t.test('a message that gave way in the offline buffer shows it, and so does one that found no room', async t => {
  const { server, connect } = await start(t, {
    OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1', OFFLINE_BUFFER_MAX_BYTES_PER_USER: '1000',
  })
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'first' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'second' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'large', msgBody: Buffer.alloc(2000) })
  t.match((await traceOf(server.app, 'first')).filter(({ stage }) => stage === 'dropped'), [{ result: 'user_limit', user_id: 'bob' }])
  t.notOk(verdicts(await traceOf(server.app, 'second')).includes('dropped: user_limit'))
  const rows = await traceOf(server.app, 'large')
  t.match(rows.filter(({ stage }) => stage === 'skipped'), [{ result: 'not kept', user_id: 'bob' }])
  t.ok(verdicts(rows).includes('ack: FAILED: delivery failed'))
})

t.test('a message that the tenant was told of shows the event', async t => {
  const { server, hooks, connect } = await start(t)
  hooks.config = { offlineUseHookPull: true }
  const events = new OfflineEventRecorder(server.app)
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'announced' })
  const announced = await traceOf(server.app, 'announced')
  t.match(announced.filter(({ stage }) => stage === 'event'), [{ result: 'OFFLINE_MESSAGE', user_id: 'bob' }])
  t.match(announced.find(({ stage }) => stage === 'users'), { notified: 1, buffered: 0 })
  t.notOk(announced.some(({ stage }) => stage === 'buffer'))

  events.room = 0
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'unannounced' })
  const rows = await traceOf(server.app, 'unannounced')
  t.match(rows.filter(({ stage }) => stage === 'event'), [{ result: 'not queued', user_id: 'bob' }])
  t.match(rows.filter(({ stage }) => stage === 'buffer'), [{ result: 'kept here', user_id: 'bob' }])
})

t.test('a group shows how many got it, and by name who did not', async t => {
  const { server, hooks, connect } = await start(t)
  hooks.groups.set('g', ['alice', 'bob', 'carol', 'dave'])
  const alice = await connect('alice')
  await connect('bob')
  await connect('carol')
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgId: 'm1' })
  const rows = await traceOf(server.app, 'm1')
  t.match(rows.filter(({ stage }) => stage === 'members_hook'), [{ result: 'answered', count: 4 }])
  t.match(rows.filter(({ stage }) => stage === 'buffer'), [{ user_id: 'dave' }])
  t.equal(rows.filter(({ stage }) => stage === 'device').length, 0)
  t.match(rows.find(({ stage }) => stage === 'users'), { delivered: 2, buffered: 1 })
  t.match(rows.find(({ stage }) => stage === 'devices here'), { handed_over: 2 })
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'none', msgId: 'm2' })
  t.equal(verdicts(await traceOf(server.app, 'm2')).at(-1), 'ack: FAILED: group members empty')
})

t.test('a message that a connection ended with shows the close code and where it went', async t => {
  const gateway = await start(t, {
    OFFLINE_BUFFER_MAX_MESSAGES_PER_USER: '1000', OFFLINE_BUFFER_MAX_BYTES_PER_USER: `${64 * 1024 * 1024}`,
  })
  const alice = await gateway.connect('alice')
  const stalled = await connectStalled(t, gateway, 'bob')
  const last = `fill${await fillKernel(gateway, alice, 'bob') - 1}`
  stalled.ws.terminate()
  t.match((await traceWith(gateway.server.app, last, 'closed')).filter(({ stage }) => stage === 'closed'),
    [{ result: 'back to the buffer', detail: 'close code 1006', user_id: 'bob', device_id: 'd1' }])
})

t.test('nobody else\'s message is told, and nothing without the token', async t => {
  const { server, connect, metric } = await start(t)
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1' })
  t.same(await traceOf(server.app, 'm1', 't2'), [])
  t.equal(await metric('mics_message_trace_entries'), 1)
  t.equal(await metric('mics_message_trace_replaced_total'), 0)
})

t.test('without a token nothing is kept, because nobody could ask', async t => {
  const { connect, metric } = await startPatientGateway(t)
  await (await connect('alice')).sendAndAck({ toUserId: 'bob' })
  t.equal(await metric('mics_message_trace_entries'), 0)
})
