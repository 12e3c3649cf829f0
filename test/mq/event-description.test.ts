import fc from 'fast-check'
import t from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { encodeEvent, signEvent } from '../../lib/mq/encode-event.js'
import { deadLetterHeaders } from '../../lib/mq/event-headers.js'
import { describeRecord } from '../../lib/mq/event-description.js'
import type { TopicRecord } from '../../lib/mq/kafka/topic-reader.js'
import type { MqEvent } from '../../lib/mq/mq-event.js'

const SECRET = 's3cret'

const event: MqEvent = {
  tenantId: 'acme',
  type: EventType.SINGLE_CHAT_MSG,
  msgId: 'm1',
  userId: 'ann',
  deviceId: 'phone',
  toUserId: 'bob',
  groupId: '',
  data: Buffer.alloc(0),
  timestampMs: 1_769_846_400_000,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  secret: SECRET,
  key: 'ann:bob',
}

function recordOf (fields: Partial<MqEvent>, more: Partial<TopicRecord> = {}): TopicRecord {
  const encoded = encodeEvent({ ...event, ...fields }, 'node-1')
  signEvent(encoded)
  return { partition: 1, offset: 2, key: 'ann:bob', value: encoded.value, timestampMs: 0, headers: [], ...more }
}

const options = { secrets: [SECRET], bodies: true }

t.test('an event without data has none', async t => {
  t.match(describeRecord(recordOf({}), options), { event: { event_data: null, signature: 'ok' } })
})

t.test('a signature holds where one of the secrets made it', async t => {
  const state = (...secrets: string[]): string | undefined =>
    describeRecord(recordOf({}), { ...options, secrets }).event?.signature
  t.equal(state('new', SECRET), 'ok')
  t.equal(state('new', 'newer'), 'bad')
  t.equal(state(), 'unknown')
})

t.test('data that is not what it should be is told', async t => {
  const data = Buffer.from([0xff])
  t.strictSame(describeRecord(recordOf({ data }), options).event?.event_data, { error: 'not a MessageRequest', size: 1 })
  t.strictSame(describeRecord(recordOf({ data, type: EventType.CONNECT_OFFLINE }), options).event?.event_data,
    { error: 'not a ConnectAck', size: 1 })
})

t.test('an event of a type of a newer version has its number', async t => {
  t.match(describeRecord(recordOf({ type: 99 as EventType }), options), { event: { event_type: '99' } })
})

t.test('times that no date can have are left out, and numbers that no number can have are text', async t => {
  const far = 9_000_000_000_000_000
  t.match(describeRecord(recordOf({ timestampMs: far }), options), { time: '', event: { timestamp: far } })
  const further = describeRecord(recordOf({ timestampMs: 2 ** 60 }), options)
  t.match(further, { time: '', event: { timestamp: '1152921504606846976' } })
  const headers = deadLetterHeaders({ reason: 'X', message: '', attempts: 1, topic: 't', nowMs: NaN, isTruncated: false })
  t.match(describeRecord(recordOf({}, { headers }), options), { dead_letter: { failed_at: '' } })
})

t.test('a record without a value is told', async t => {
  const { event, ...described } = describeRecord(recordOf({}, { value: null, timestampMs: 1000 }), options)
  t.equal(event, undefined)
  t.match(described, { error: 'a record without a value', time: '1970-01-01T00:00:01.000Z', size: 0, partition: 1, offset: 2 })
})

t.test('whatever is in a topic is described, and can be printed', async () => {
  fc.assert(fc.property(fc.uint8Array(), fc.string(), fc.array(fc.tuple(fc.constantFrom('mics-dlq-reason', 'mics-dlq-attempts',
    'mics-dlq-failed-at', 'mics-replayed-at'), fc.string())), (value, key, headers) => {
    JSON.stringify(describeRecord({ ...recordOf({}), value: Buffer.from(value), key, headers }, options))
  }))
})
