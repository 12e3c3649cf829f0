import t from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { encodeEvent } from '../../lib/mq/encode-event.js'
import { deadLetterHeaders, eventHeaders } from '../../lib/mq/event-headers.js'
import type { EncodedEvent } from '../../lib/mq/mq-event.js'
import type { Span } from '../../lib/tracing/span.js'

const traceId = '0af7651916cd43dd8448eb211c80319c'

function encoded (fields: { traceId?: string, type?: EventType, span?: Span }): EncodedEvent {
  return encodeEvent({
    tenantId: 'acmé',
    type: EventType.SINGLE_CHAT_MSG,
    msgId: 'm1',
    userId: 'ann',
    deviceId: 'phone',
    toUserId: 'bob',
    groupId: '',
    data: Buffer.alloc(0),
    timestampMs: 1,
    traceId,
    secret: '',
    key: 'ann:bob',
    ...fields,
  }, 'node-1')
}

t.test('an event names its trace, its tenant and its type', async t => {
  const [[name, traceparent], ...others] = eventHeaders(encoded({}))
  t.equal(name, 'traceparent')
  t.match(traceparent, new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  t.strictSame(others, [['mics-tenant-id', 'acmé'], ['mics-event-type', 'SINGLE_CHAT_MSG']])
})

t.test('an event whose way is recorded names that span, which is sampled', async t => {
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  const span: Span = { traceparent, child: () => undefined, set () {}, fail () {}, end () {} }
  t.strictSame(eventHeaders(encoded({ span }))[0], ['traceparent', traceparent])
})

t.test('each event is a span of its own', async t => {
  const event = encoded({})
  const spans = Array.from({ length: 100 }, () => eventHeaders(event)[0][1])
  t.equal(new Set(spans).size, spans.length)
})

t.test('a trace id that is none by the standard gets no traceparent', async t => {
  for (const traceId of ['', '0'.repeat(32), 'a'.repeat(31), 'a'.repeat(33), `${'a'.repeat(31)}g`, `${'a'.repeat(32)}\n`]) {
    t.strictSame(eventHeaders(encoded({ traceId })).map(([name]) => name), ['mics-tenant-id', 'mics-event-type'], traceId)
  }
  t.match(eventHeaders(encoded({ traceId: traceId.toUpperCase() })), [['traceparent', `00-${traceId}-`]])
})

t.test('every type has its name, and one of a newer version its number', async t => {
  const typeOf = (type: number): string | undefined => eventHeaders(encoded({ type })).at(-1)?.[1]
  t.strictSame([0, 1, 2, 3, 4, 99].map(typeOf),
    ['CONNECT_ONLINE', 'CONNECT_OFFLINE', 'SINGLE_CHAT_MSG', 'GROUP_CHAT_MSG', 'OFFLINE_MESSAGE', '99'])
})

t.test('a dead letter says why it is one', async t => {
  const why = {
    reason: 'MSG_SIZE_TOO_LARGE',
    message: 'Broker: Message size too large',
    attempts: 3,
    topic: 'im-mics-acme-event',
    nowMs: 1_700_000_000_000,
    isTruncated: false,
  }
  const headers: [string, string][] = [
    ['mics-dlq-reason', 'MSG_SIZE_TOO_LARGE'],
    ['mics-dlq-message', 'Broker: Message size too large'],
    ['mics-dlq-attempts', '3'],
    ['mics-dlq-topic', 'im-mics-acme-event'],
    ['mics-dlq-failed-at', '1700000000000'],
  ]
  t.strictSame(deadLetterHeaders(why), headers)
  t.strictSame(deadLetterHeaders({ ...why, isTruncated: true }), [...headers, ['mics-dlq-truncated', 'true']])
})

t.test('the message of an error is cut', async t => {
  const why = { reason: 'X', message: 'y'.repeat(10_000), attempts: 1, topic: 't', nowMs: 1, isTruncated: false }
  t.equal(deadLetterHeaders(why)[1][1], 'y'.repeat(512))
})
