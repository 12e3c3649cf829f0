import { createHmac } from 'node:crypto'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { EventType } from '../../../lib/gen/mics/hook/v1/hook_pb.js'
import { TopicNames } from '../../../lib/mq/topic-names.js'
import { InvalidEventError, openEvent, topicName } from '../../../sdk/hook-server/src/events.js'
import { SECRET } from './caller.js'
import { messageBytes, published } from './published.js'

const signing = { secrets: SECRET }

t.test('a message event has the message and its bytes', async t => {
  const event = await openEvent(published(), signing)
  t.match(event, {
    type: 'SINGLE_CHAT_MSG',
    tenantId: 't1',
    userId: 'alice',
    deviceId: 'd1',
    msgId: 'm1',
    toUserId: 'bob',
    timestampMs: 1_700_000_000_000,
    nodeId: 'node-1',
    traceId: 'trace-1',
    isDeadLetter: false,
    deadLetter: undefined,
    message: { text: 'body of m1', type: 'SINGLE_CHAT', toUserId: 'bob' },
  })
  t.same(Buffer.from(event.messageBytes ?? []), messageBytes())
})

t.test('a connection event has none, and an event of a later gateway has its number for a type', async t => {
  const data = Buffer.from([0xff])
  const online = await openEvent(published({ type: EventType.CONNECT_ONLINE, data }), signing)
  t.same([online.type, online.message], ['CONNECT_ONLINE', undefined])
  const later = await openEvent(published({ type: 77 as EventType, data }), signing)
  t.same([later.type, later.message], ['77', undefined])
})

t.test('what makes two events the same one is in their identity', async t => {
  const identity = async (fields: Parameters<typeof published>[0]): Promise<string> =>
    (await openEvent(published(fields), signing)).identity
  const message = await identity({})
  t.equal(await identity({ timestampMs: 1, traceId: 'another connection' }), message)
  for (const other of [{ userId: 'x' }, { deviceId: 'x' }, { msgId: 'x' }, { type: EventType.GROUP_CHAT_MSG }, { tenantId: 't2' }]) {
    t.not(await identity(other), message, JSON.stringify(other))
  }
  t.equal(await identity({ toUserId: 'x' }), message, 'a msg_id is used for one recipient')
  const offline = { type: EventType.OFFLINE_MESSAGE }
  t.not(await identity({ ...offline, toUserId: 'bob' }), await identity({ ...offline, toUserId: 'carol' }))
  const online = { type: EventType.CONNECT_ONLINE }
  t.equal(await identity({ ...online, msgId: 'x' }), await identity(online))
  t.not(await identity({ ...online, traceId: 'x' }), await identity(online))
  const long = [await identity({ msgId: 'x'.repeat(10_000) }), await identity({ msgId: 'x'.repeat(10_001) })]
  t.ok(long[0].length <= 500 && long[0] !== long[1], 'a key of a table, however long the ids are')
})

t.test('headers of a dead letter say why it is one', async t => {
  const headers = {
    'mics-dlq-reason': 'MSG_SIZE_TOO_LARGE',
    'mics-dlq-message': Buffer.from('too large'),
    'mics-dlq-attempts': '1',
    'mics-dlq-topic': 'im-mics-t1-event',
    'mics-dlq-failed-at': ['0', '1700000000001'],
    'mics-dlq-truncated': 'true',
    'mics-replayed-at': '1700000000002',
  }
  const event = await openEvent(published({ data: Buffer.alloc(0) }), { ...signing, headers })
  t.match(event, {
    isDeadLetter: true,
    message: undefined,
    replayedAtMs: 1_700_000_000_002,
    deadLetter: {
      reason: 'MSG_SIZE_TOO_LARGE',
      message: 'too large',
      attempts: 1,
      topic: 'im-mics-t1-event',
      failedAtMs: 1_700_000_000_001,
      isTruncated: true,
    },
  })
})

t.test('the signature is looked at, with each of the secrets, and holds for fields that are unknown here', async t => {
  t.equal((await openEvent(published({ secret: 'old' }), { secrets: ['new', 'old'] })).msgId, 'm1')
  t.equal((await openEvent(published({ secret: '' }), { allowUnsigned: true })).msgId, 'm1')
  const byTenant = (tenantId: string) => tenantId === 't1' ? SECRET : undefined
  t.equal((await openEvent(published(), { secrets: byTenant })).msgId, 'm1')
  const later = new BinaryWriter().tag(30, WireType.LengthDelimited).string('later').finish()
  const reason = async (bytes: Uint8Array, secrets: unknown = SECRET): Promise<string> =>
    await openEvent(bytes, { secrets } as { secrets: string }).then(() => 'opened', (error: InvalidEventError) => error.reason)
  t.equal(await reason(published(), 'guessed'), 'wrong_signature')
  t.equal(await reason(published({ secret: '' })), 'unsigned')
  t.equal(await reason(published({ tenantId: 't2' }), byTenant), 'unknown_tenant')
  t.equal(await reason(Buffer.concat([published(), later])), 'wrong_signature', 'a field that was added on the way')
  const unsigned = Buffer.concat([published({ secret: '' }), later])
  const sign = createHmac('sha256', SECRET).update(unsigned).digest('base64')
  const signed = new BinaryWriter().tag(11, WireType.LengthDelimited).string(sign).finish()
  t.equal(await reason(Buffer.concat([signed, unsigned])), 'opened', 'one that the gateway signed, in any order')
  t.equal(await reason(Buffer.from([0xff])), 'undecodable')
  t.equal(await reason(published({ data: Buffer.from([0xff]) })), 'undecodable')
  await t.rejects(openEvent(published(), {} as { secrets: string }), /secrets are missing/)
})

t.test('no bytes are opened as an event, and each is refused as what it is', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
    return await openEvent(bytes, signing).then(() => false, error => error instanceof InvalidEventError)
  }))
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async bytes => {
    return await openEvent(bytes, { allowUnsigned: true }).then(() => true, error => error instanceof InvalidEventError)
  }))
})

t.test('the topic of a tenant is the gateway\'s, whatever its id', async () => {
  const templates = ['im-mics-{tenant_id}-event', 'im-mics-{tenant_id}-event-dlq'] as const
  const names = new TopicNames(...templates)
  const id = fc.oneof(fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }), fc.constantFrom('.', '..', 'a-x20b', 'x'.repeat(400)))
  fc.assert(fc.property(id, id =>
    topicName(templates[0], id) === names.event(id) && topicName(templates[1], id) === names.deadLetter(id)))
})
