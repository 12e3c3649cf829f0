import { createHmac } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { MqEventSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { event, fault, headersOf, ids, msgIdOf, SECRET, setup } from './queue.js'

function signatureOf (value: Buffer): string {
  const unsigned = toBinary(MqEventSchema, { ...fromBinary(MqEventSchema, value), sign: '' })
  return createHmac('sha256', SECRET).update(unsigned).digest('base64')
}

t.test('an event becomes a signed record in its tenant\'s topic', async t => {
  const { queue, transport, settle, metrics } = setup()
  t.ok(queue.publish(event({ key: 'alice:bob' })))
  t.equal(transport.sent.length, 0, 'not while the caller waits')
  t.equal(metrics('t1').eventsPending, 1)
  await settle()
  const [record] = transport.stored
  t.match(record, { topic: 't1', key: 'alice:bob' })
  t.match(headersOf(record), { 'mics-tenant-id': 't1', 'mics-event-type': 'SINGLE_CHAT_MSG' })
  const decoded = fromBinary(MqEventSchema, record.value)
  t.match(decoded, { tenantId: 't1', msgId: 'm1', nodeId: 'n1' })
  t.equal(decoded.sign, signatureOf(record.value))
  t.match(metrics('t1'), { eventsPublished: 1, eventsPending: 0, eventsPendingBytes: 0 })
  t.equal(queue.tenants, 0, 'a tenant with nothing pending is forgotten')
})

t.test('a key has one batch on its way at a time, and other keys do not wait for it', async t => {
  const { transport, publish, settle } = setup()
  transport.verdict = ({ key }) => key === 'slow' ? 'hold' : undefined
  publish(ids(250), { key: 'slow' })
  await settle()
  t.same(transport.sent.map(msgIdOf), ids(100))
  publish(['x'], { key: 'other' })
  await settle()
  t.same(transport.storedIn('t1'), ['x'])
  transport.release()
  await settle()
  t.equal(transport.sent.length, 201)
  transport.release()
  await settle()
  transport.release()
  t.same(transport.storedIn('t1').filter(id => id !== 'x'), ids(250))
})

t.test('a batch is bounded in bytes', async t => {
  const { transport, publish, settle } = setup()
  transport.verdict = () => 'hold'
  publish(ids(10), { data: Buffer.alloc(200 * 1024) })
  publish(['huge'], { data: Buffer.alloc(1024 * 1024), key: 'other' })
  await settle()
  t.same(transport.sent.map(msgIdOf).sort(), ['huge', 'm1', 'm2'])
})

t.test('a tenant has no more than 1000 events on their way', async t => {
  const { queue, transport, settle } = setup()
  transport.verdict = () => 'hold'
  for (const msgId of ids(1500)) queue.publish(event({ msgId, key: msgId }))
  await settle()
  t.equal(transport.sent.length, 1000)
  transport.release()
  await settle()
  t.equal(transport.sent.length, 1500)
})

t.test('a tenant with thousands of events delays neither another\'s event nor the event loop by more than a slice', async t => {
  const { queue, transport, publish, settle } = setup()
  for (const msgId of ids(5000)) queue.publish(event({ tenantId: 'big', msgId, key: msgId }))
  publish(['one'], { tenantId: 'small' })
  await settle()
  t.equal(transport.stored.length, 5001)
  const at = transport.sent.findIndex(({ topic }) => topic === 'small')
  t.ok(at < 150, `sent as number ${at + 1}`)
  for (const sent of transport.turns) t.ok(sent.length <= 256 + 100, `${sent.length} in one turn`)
})

t.test('large events count for more', async t => {
  const { queue, transport, settle } = setup()
  for (const msgId of ids(20)) queue.publish(event({ msgId, key: msgId, data: Buffer.alloc(400 * 1024) }))
  await settle()
  t.equal(transport.stored.length, 20)
  for (const sent of transport.turns) t.ok(sent.length <= 3, `${sent.length} in one turn`)
})

t.test('beyond its quota of events a tenant\'s newest are refused, and nobody else\'s', async t => {
  const { transport, publish, settle, metrics, dropped, log } = setup({ limits: { maxEventsPerTenant: 3 } })
  transport.verdict = ({ topic }) => topic === 't1' ? 'hold' : undefined
  t.same(publish(ids(5)), [true, true, true, false, false])
  await settle()
  t.same(publish(['m6']), [false], 'events on their way count')
  t.same(publish(['n1'], { tenantId: 't2' }), [true])
  t.same(dropped('t1'), { queue_full: 3 })
  t.match(log, [{ level: 'warn', fields: { tenantId: 't1', reason: 'queue_full' } }], 'logged once')
  transport.release()
  await settle()
  t.same(publish(['m7']), [true])
  await settle()
  transport.release()
  t.same(transport.storedIn('t1'), ['m1', 'm2', 'm3', 'm7'])
  t.match(metrics('t1'), { eventsPending: 0, eventsPendingBytes: 0 })
})

t.test('an event that is too large goes to the dead letter topic at once, and those behind it to theirs', async t => {
  const { transport, publish, settle, metrics, log } = setup()
  transport.verdict = record =>
    record.topic === 't1' && ['m2', 'm4'].includes(msgIdOf(record)) ? fault('event', 'MSG_SIZE_TOO_LARGE') : undefined
  publish(ids(5))
  await settle()
  t.same(transport.storedIn('t1'), ['m1', 'm3', 'm5'])
  t.same(transport.storedIn('t1-dlq'), ['m2', 'm4'])
  const [letter] = transport.stored.filter(({ topic }) => topic === 't1-dlq')
  t.match(headersOf(letter), {
    'mics-tenant-id': 't1',
    'mics-dlq-reason': 'MSG_SIZE_TOO_LARGE',
    'mics-dlq-message': 'MSG_SIZE_TOO_LARGE in words',
    'mics-dlq-attempts': '1',
    'mics-dlq-topic': 't1',
    'mics-dlq-failed-at': '1700000001000',
  })
  t.notOk('mics-dlq-truncated' in headersOf(letter))
  t.equal(Buffer.from(fromBinary(MqEventSchema, letter.value).eventData).toString(), 'data')
  t.match(metrics('t1'), { eventsPublished: 3, eventsDeadLettered: 2, eventsRetried: 0, eventsPending: 0 })
  t.match(log, [{ level: 'warn', fields: { tenantId: 't1', topic: 't1-dlq', msgId: 'm2', reason: 'MSG_SIZE_TOO_LARGE' } }])
})

t.test('where the dead letter topic refuses it too, it goes there without its data, signed anew', async t => {
  const { transport, publish, settle, metrics } = setup()
  transport.verdict = ({ topic, value }) => topic === 't1' || value.length > 1000 ? fault('event') : undefined
  publish(['m1'], { data: Buffer.alloc(2000) })
  await settle()
  const [letter] = transport.stored
  const decoded = fromBinary(MqEventSchema, letter.value)
  t.match(decoded, { tenantId: 't1', msgId: 'm1', userId: 'alice', toUserId: 'bob', nodeId: 'n1', timestamp: 1_700_000_000_000n })
  t.equal(decoded.eventData.length, 0)
  t.equal(decoded.sign, signatureOf(letter.value))
  t.match(headersOf(letter), { 'mics-dlq-truncated': 'true', 'mics-dlq-attempts': '1' })
  t.match(metrics('t1'), { eventsDeadLettered: 1, eventsPending: 0, eventsPendingBytes: 0 })
})

t.test('what is refused even so is dropped and counted, and does not hold up the next', async t => {
  const { transport, publish, settle, dropped, log } = setup()
  transport.verdict = record => msgIdOf(record) === 'm1' ? fault('event', 'POLICY') : undefined
  publish(ids(2))
  await settle()
  t.same(transport.storedIn('t1'), ['m2'])
  t.same(dropped('t1'), { refused: 1 })
  t.match(log, [{ fields: { tenantId: 't1', msgId: 'm1', reason: 'POLICY' } }])
})

t.test('the age of the oldest pending event is known for each tenant', async t => {
  const { queue, transport, publish, settle, clock } = setup()
  transport.verdict = ({ key }) => key === 'slow' ? 'hold' : undefined
  publish(['m1'], { key: 'quick' })
  await settle()
  t.same([...queue.oldestAges()], [])
  publish(['m2'], { key: 'slow' })
  await settle()
  clock.advance(30)
  publish(['m3', 'm4'], { key: 'slow' })
  publish(['n1'], { key: 'slow', tenantId: 't2' })
  clock.advance(5)
  t.same([...queue.oldestAges()], [['t1', 35], ['t2', 5]])
})

t.test('an event that waits for long keeps no more memory than its own', async t => {
  const { transport, publish, settle, drain } = setup()
  transport.verdict = () => fault('cluster')
  publish(ids(2))
  await settle()
  publish(['m3'])
  transport.verdict = () => undefined
  await drain()
  const kept = transport.stored.map(({ value }) => value.buffer.byteLength === value.length)
  t.same(transport.storedIn('t1'), ids(3))
  t.same(kept, [true, true, true])
})

t.test('closing publishes what there is, and takes no more', async t => {
  const { queue, transport, publish, dropped } = setup()
  publish(ids(300))
  const closed = queue.close(60_000)
  t.same(publish(['late']), [false])
  t.same(dropped('t1'), { shutdown: 1 })
  await closed
  t.same(transport.storedIn('t1'), ids(300))
  t.ok(transport.isClosed)
  t.equal(queue.close(0), queue.close(1), 'later calls join the first')
})

t.test('closing does not sit out long delays', async t => {
  const { queue, transport, publish, settle, clock } = setup()
  transport.verdict = () => fault('cluster')
  publish(['m1'])
  await settle()
  for (let i = 0; i < 12; i++) {
    clock.advanceToNext()
    await settle()
  }
  const closed = queue.close(60_000)
  await settle()
  let longest = 0
  for (let i = 0; i < 5; i++) {
    longest = Math.max(longest, clock.advanceToNext())
    await settle()
  }
  t.ok(longest > 0 && longest <= 100, `waited ${longest} ms`)
  transport.verdict = () => undefined
  clock.advanceToNext()
  await closed
  t.same(transport.storedIn('t1'), ['m1'])
})

t.test('after the end nothing is handed over any more', async t => {
  const { queue, transport, publish, dropped, metrics } = setup()
  for (const tenantId of ids(30, 't')) publish(ids(1000), { tenantId })
  await queue.close(0)
  const sent = transport.sent.length
  for (let i = 0; i < 10; i++) await turn()
  t.equal(transport.sent.length, sent)
  const given = ids(30, 't').map(tenantId => dropped(tenantId).shutdown ?? 0)
  t.ok(given.some(count => count > 0))
  t.same(ids(30, 't').map((tenantId, i) => metrics(tenantId).eventsPublished + given[i]), Array(30).fill(1000))
})

t.test('closing gives up in time, and counts what it gave up', async t => {
  const { queue, transport, publish, settle, dropped, metrics, log, clock } = setup()
  transport.verdict = ({ topic }) => topic === 't1' ? 'hold' : undefined
  publish(ids(120))
  await settle()
  clock.advance(40)
  await queue.close(1)
  t.ok(transport.isClosed)
  t.same(dropped('t1'), { shutdown: 120 })
  t.match(log, [{ level: 'warn', fields: { tenantId: 't1', events: 120, oldestMs: 40 } }])
  t.match(metrics('t1'), { eventsPending: 0, eventsPendingBytes: 0 })
  transport.release()
  for (let i = 0; i < 5; i++) await turn()
  t.equal(metrics('t1').eventsPublished, 0, 'what comes later is not counted twice')
  t.equal(transport.sent.length, 100, 'and nothing is handed over any more')
  t.ok(clock.isIdle)
})
