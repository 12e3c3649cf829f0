import t from 'tap'
import type { EventRecord } from '../../lib/mq/event-transport.js'
import { event, fault, headersOf, ids, msgIdOf, setup, type QueueSetup } from './queue.js'

/** The `msg_id`s that were handed over to a topic since the last look. */
function lookAt ({ transport }: QueueSetup): (topic: string) => string[] {
  const seen = new Map<string, number>()
  return topic => {
    const sent = transport.sent.filter(record => record.topic === topic).map(msgIdOf)
    const news = sent.slice(seen.get(topic) ?? 0)
    seen.set(topic, sent.length)
    return news
  }
}

const isEventTopic = ({ topic }: EventRecord): boolean => !topic.endsWith('-dlq')

t.test('while a topic fails one event at a time tries it, with a delay that grows', async t => {
  const queue = setup({ maxAttempts: 10 })
  const { transport, publish, settle, clock, log } = queue
  const sent = lookAt(queue)
  transport.verdict = () => fault('topic', 'NO_LEADER')
  publish(ids(150))
  await settle()
  t.same(sent('t1'), ids(100))
  const delays: number[] = []
  for (let i = 0; i < 5; i++) {
    delays.push(clock.advanceToNext())
    await settle()
    t.same(sent('t1'), ['m1'])
  }
  t.same(delays, [50, 100, 200, 400, 800])
  t.match(log, [{ level: 'warn', fields: { tenantId: 't1', topic: 't1', reason: 'NO_LEADER', cause: 'NO_LEADER in words' } }])
})

t.test('what failed together is one failure', async t => {
  const { queue, transport, settle, clock } = setup()
  transport.verdict = () => fault('topic')
  for (const msgId of ids(200)) queue.publish(event({ msgId, key: msgId }))
  await settle()
  transport.verdict = () => undefined
  t.equal(clock.advanceToNext(), 50)
  await settle()
  t.equal(new Set(transport.storedIn('t1')).size, 200)
  t.same(transport.storedIn('t1-dlq'), [])
})

t.test('a topic that works again takes all that waited, in order', async t => {
  const { transport, publish, settle, drain, metrics, log } = setup()
  transport.verdict = () => fault('topic')
  publish(ids(250))
  await settle()
  transport.verdict = () => undefined
  await drain()
  t.same(transport.storedIn('t1'), ids(250))
  t.match(metrics('t1'), { eventsPublished: 250, eventsDeadLettered: 0, eventsRetried: 100 })
  t.match(log, [{ level: 'warn' }, { level: 'info', fields: { tenantId: 't1', topic: 't1' } }])
})

t.test('a topic that failed too often is broken: its events go to the dead letter topic, in order', async t => {
  const queue = setup()
  const { transport, publish, settle, clock, metrics } = queue
  const sent = lookAt(queue)
  transport.verdict = record => isEventTopic(record) ? fault('topic', 'UNKNOWN_TOPIC_OR_PART') : undefined
  publish(ids(150))
  await settle()
  t.equal(sent('t1').length, 100)
  for (let i = 0; i < 2; i++) {
    clock.advanceToNext()
    await settle()
    t.same(sent('t1'), ['m1'])
  }
  t.same(transport.storedIn('t1-dlq'), ids(150))
  const attempts = transport.stored.map(record => headersOf(record)['mics-dlq-attempts'])
  t.same([attempts[0], attempts[99], attempts[100]], ['3', '1', '0'])
  t.match(headersOf(transport.stored[120]), { 'mics-dlq-reason': 'UNKNOWN_TOPIC_OR_PART', 'mics-dlq-topic': 't1' })

  publish(ids(3, 'n'))
  await settle()
  t.same(sent('t1'), [], 'new events do not try it first')
  t.same(transport.storedIn('t1-dlq').slice(150), ids(3, 'n'))
  t.match(metrics('t1'), { eventsDeadLettered: 153, eventsPublished: 0, eventsPending: 0 })
})

t.test('now and then an event tries a broken topic, and the first that is taken mends it', async t => {
  const queue = setup()
  const { transport, publish, settle, drain, clock, log } = queue
  const sent = lookAt(queue)
  transport.verdict = record => isEventTopic(record) ? fault('topic') : undefined
  publish(['m1'])
  await drain()
  sent('t1')
  clock.advance(200)
  publish(ids(3, 'n'))
  await settle()
  t.same(sent('t1'), ['n1'], 'one of them')
  t.same(transport.storedIn('t1-dlq'), ['m1', 'n1', 'n2', 'n3'], 'and in order they go where that one went')
  transport.verdict = () => undefined
  clock.advance(400)
  publish(ids(3, 'o'))
  await settle()
  t.same(transport.storedIn('t1'), ids(3, 'o'))
  t.match(log.at(-1), { level: 'info', fields: { tenantId: 't1', topic: 't1' } })
})

t.test('the delay of a broken topic ends at 30 seconds', async t => {
  const queue = setup()
  const { transport, publish, settle, clock } = queue
  transport.verdict = () => fault('topic')
  publish(['m1'])
  await settle()
  let longest = 0
  for (let i = 0; i < 50; i++) {
    longest = Math.max(longest, clock.advanceToNext())
    await settle()
  }
  t.ok(longest <= 30_000 && longest > 25_000, `waited ${longest} ms`)
})

t.test('a key that fails alone has its attempts and goes to the dead letter topic; the others are published', async t => {
  const { transport, publish, drain } = setup()
  transport.verdict = ({ topic, key }) => topic === 't1' && key === 'bad' ? fault('topic', 'NO_LEADER') : undefined
  publish(['b1', 'b2'], { key: 'bad' })
  publish(ids(300), { key: 'good' })
  await drain()
  t.same(transport.storedIn('t1'), ids(300))
  t.same(transport.storedIn('t1-dlq'), ['b1', 'b2'])
  t.equal(headersOf(transport.stored.filter(({ topic }) => topic === 't1-dlq')[0])['mics-dlq-attempts'], '3')
})

t.test('where the dead letter topic fails too, events stay and both are tried, until one takes them', async t => {
  for (const mended of ['t1', 't1-dlq']) {
    const queue = setup({ limits: { maxEventsPerTenant: 5 } })
    const { transport, publish, settle, drain, clock, dropped } = queue
    const sent = lookAt(queue)
    transport.verdict = () => fault('topic')
    publish(ids(5))
    await settle()
    for (let i = 0; i < 20; i++) {
      clock.advanceToNext()
      await settle()
    }
    t.ok(sent('t1').length > 8 && sent('t1-dlq').length > 5, 'both were tried')
    t.same(publish(['m6']), [false])
    t.same(dropped('t1'), { queue_full: 1 })
    transport.verdict = ({ topic }) => topic === mended ? undefined : fault('topic')
    await drain()
    t.same(transport.storedIn(mended), ids(5))
  }
})

t.test('one tenant\'s broken topics do not concern another', async t => {
  const { transport, publish, settle } = setup()
  transport.verdict = ({ topic }) => topic.startsWith('t1') ? fault('topic') : undefined
  publish(ids(100))
  publish(ids(100, 'n'), { tenantId: 't2' })
  await settle()
  publish(ids(100, 'o'), { tenantId: 't2' })
  await settle()
  t.same(transport.storedIn('t2'), [...ids(100, 'n'), ...ids(100, 'o')])
})

t.test('while Kafka is gone one event of the whole node tries it, however many tenants there are', async t => {
  const queue = setup()
  const { transport, publish, settle, clock, log } = queue
  transport.verdict = () => fault('cluster', 'ALL_BROKERS_DOWN')
  for (let i = 0; i < 300; i++) publish(['m1', 'm2'], { tenantId: `t${i}` })
  await settle()
  const before = transport.sent.length
  const delays: number[] = []
  for (let i = 0; i < 8; i++) {
    delays.push(clock.advanceToNext())
    await settle()
  }
  t.equal(transport.sent.length - before, 8)
  t.same(delays.slice(0, 3), [50, 100, 200])
  t.same(log, [], 'that is for the transport to say')
})

t.test('when Kafka is back everything goes out at once, in order, without an attempt counted', async t => {
  const queue = setup({ maxAttempts: 1 })
  const { transport, publish, settle, clock, metrics, log } = queue
  transport.verdict = () => fault('cluster')
  const tenants = ids(40, 't')
  for (const tenantId of tenants) publish(ids(20), { tenantId })
  await settle()
  for (let i = 0; i < 6; i++) {
    clock.advanceToNext()
    await settle()
  }
  for (const tenantId of tenants) publish(ids(20, 'n'), { tenantId })
  await settle()
  transport.verdict = () => undefined
  clock.advanceToNext()
  await settle()
  for (const tenantId of tenants) {
    t.same(transport.storedIn(tenantId), [...ids(20), ...ids(20, 'n')])
    t.match(metrics(tenantId), { eventsPublished: 40, eventsDeadLettered: 0 })
  }
  t.same(log, [])
})

t.test('told that Kafka is back, it does not sit out its delay', async t => {
  const { queue, transport, publish, settle, clock } = setup()
  transport.verdict = () => fault('cluster')
  publish(ids(20))
  await settle()
  for (let i = 0; i < 8; i++) {
    clock.advanceToNext()
    await settle()
  }
  transport.verdict = () => undefined
  await settle()
  t.same(transport.storedIn('t1'), [], 'it waits')
  queue.retryNow()
  await settle()
  t.same(transport.storedIn('t1'), ids(20))
})

t.test('a probe that is refused for what it is says nothing of Kafka, and the next one tries', async t => {
  const { transport, publish, settle, drain, clock } = setup()
  transport.verdict = () => fault('cluster')
  publish(ids(3))
  await settle()
  transport.verdict = record => isEventTopic(record) && msgIdOf(record) === 'm1' ? fault('event') : undefined
  clock.advanceToNext()
  await drain()
  t.same(transport.storedIn('t1'), ['m2', 'm3'])
  t.same(transport.storedIn('t1-dlq'), ['m1'])
})

t.test('brokers that are out of reach for one topic only do not hold up the others', async t => {
  const { transport, publish, settle, clock, metrics } = setup({ maxAttempts: 1 })
  transport.verdict = ({ topic }) => topic === 't1' ? 'hold' : undefined
  publish(ids(3))
  publish(ids(3), { tenantId: 't2' })
  await settle()
  transport.release(fault('cluster'))
  publish(['m4'], { tenantId: 't2' })
  await settle()
  t.same(transport.storedIn('t2'), ids(4))
  transport.verdict = () => undefined
  t.equal(clock.advanceToNext(), 50)
  await settle()
  t.same(transport.storedIn('t1'), ids(3))
  t.equal(metrics('t1').eventsDeadLettered, 0)
})

t.test('when Kafka is back, a tenant that was out of reach before the others does not wait for longer', async t => {
  const { transport, publish, settle, clock } = setup()
  transport.verdict = ({ topic }) => topic === 't1' ? 'hold' : undefined
  publish(['m1'])
  await settle()
  for (let i = 0; i < 12; i++) {
    publish(['m'], { tenantId: 't2' })
    await settle()
    transport.release(fault('cluster'))
    await settle()
    clock.advanceToNext()
    await settle()
  }
  publish(['m'], { tenantId: 't2' })
  await settle()
  transport.release(fault('cluster'))
  transport.verdict = () => fault('cluster')
  publish(['n1', 'n2'], { tenantId: 't2' })
  await settle()
  transport.verdict = () => undefined
  t.equal(clock.advanceToNext(), 50, 'the time of the next try for the node')
  await settle()
  t.same(transport.storedIn('t1'), ['m1'])
})

t.test('a probe that is dropped in the end lets the next tenant try', async t => {
  const { transport, publish, settle, clock, dropped } = setup()
  transport.verdict = () => fault('cluster')
  publish(['m1'], { data: Buffer.alloc(2000) })
  await settle()
  transport.verdict = ({ value }) => value.length > 1000 ? fault('event') : 'hold'
  clock.advanceToNext()
  await settle()
  publish(['m1'], { tenantId: 't2' })
  await settle()
  t.same(transport.onTheWay.map(({ topic }) => topic), ['t1-dlq'])
  transport.release(fault('event'))
  transport.verdict = () => undefined
  await settle()
  t.same(dropped('t1'), { refused: 1 })
  t.same(transport.storedIn('t2'), ['m1'])
})

t.test('what was truncated for the dead letter topic never goes to the event topic', async t => {
  const { transport, publish, settle, drain, clock } = setup()
  transport.verdict = record => isEventTopic(record) ? fault('topic') : undefined
  publish(['m1'])
  await drain()
  transport.verdict = record => record.value.length > 1000 ? fault('event') : fault('topic')
  publish(['large'], { data: Buffer.alloc(2000) })
  await settle()
  transport.verdict = record => isEventTopic(record) ? undefined : fault('topic')
  clock.advance(40_000)
  await settle()
  transport.verdict = () => undefined
  await drain()
  t.same(transport.storedIn('t1'), [])
  t.same(transport.storedIn('t1-dlq'), ['m1', 'large'])
})

t.test('a broken topic is not tried in vain while the tenant has all on their way that it may', async t => {
  const { queue, transport, publish, settle, drain, clock } = setup()
  transport.verdict = record => isEventTopic(record) ? fault('topic') : undefined
  publish(['m0'])
  await drain()
  transport.verdict = record => isEventTopic(record) ? fault('topic') : 'hold'
  for (const msgId of ids(1100)) queue.publish(event({ msgId, key: msgId }))
  await settle()
  t.equal(transport.onTheWay.length, 1000)
  // What is set to remember the tenant is past now.
  clock.advance(100_000)
  await settle()
  t.ok(clock.isIdle)
  transport.release()
  transport.verdict = () => undefined
  await drain()
  t.equal(transport.stored.length, 1101)
})

t.test('closing tries topics that fail at once, again and again, and ends in time all the same', async t => {
  const queue = setup()
  const { transport, publish, settle, clock, dropped } = queue
  const sent = lookAt(queue)
  transport.verdict = () => fault('topic')
  publish(ids(3))
  publish(ids(3), { tenantId: 't2' })
  await settle()
  for (let i = 0; i < 60; i++) {
    clock.advanceToNext()
    await settle()
  }
  sent('t1')
  transport.verdict = ({ topic }) => topic.startsWith('t1') ? undefined : fault('topic')
  const closed = queue.queue.close(50)
  await settle()
  t.ok(sent('t1').includes('m1'), 'without a delay')
  await closed
  t.same(dropped('t1'), {})
  t.same(dropped('t2'), { shutdown: 3 })
  t.ok(clock.isIdle)
})

t.test('a tenant whose topics fail is remembered for a while, then forgotten', async t => {
  const { queue, transport, publish, drain, settle, clock } = setup()
  transport.verdict = record => isEventTopic(record) ? fault('topic') : undefined
  publish(['m1'])
  await drain()
  t.equal(queue.tenants, 1)
  clock.advance(10_000)
  transport.verdict = () => undefined
  publish(['m2'])
  await settle()
  t.equal(queue.tenants, 0, 'at once where they work')

  transport.verdict = record => isEventTopic(record) ? fault('topic') : undefined
  publish(['m3'])
  await drain()
  clock.advance(59_000)
  t.equal(queue.tenants, 1)
  clock.advance(2_000)
  t.equal(queue.tenants, 0)
  t.ok(clock.isIdle)
})

t.test('events of a tenant that is gone are published where that works, and not kept where it does not', async t => {
  const { queue, transport, publish, settle, drain, dropped, metrics } = setup({ hasTenant: tenantId => tenantId !== 't1' })
  transport.verdict = () => fault('topic')
  publish(ids(20))
  publish(['m1'], { tenantId: 't2' })
  await settle()
  transport.verdict = ({ topic }) => topic.startsWith('t1') ? fault('topic') : undefined
  await drain()
  t.same(dropped('t1'), { tenant_removed: 20 })
  t.match(metrics('t1'), { eventsPending: 0, eventsPendingBytes: 0 })
  t.same(dropped('t2'), {})
  transport.verdict = () => undefined
  publish(['m1'])
  await settle()
  await drain()
  t.same([...transport.storedIn('t1'), ...transport.storedIn('t1-dlq')], ['m1'])
  await queue.close(0)
})
