import { once } from 'node:events'
import kafka from '@confluentinc/kafka-javascript'
import t from 'tap'
import { loadKafkaClient } from '../../../lib/mq/kafka/load-client.js'
import { errorNames, faultOf, faultTable } from '../../../lib/mq/kafka/publish-faults.js'
import { until } from '../../helpers/until.js'
import { FakeKafka } from './fake-kafka.js'
import { allSent, record, sent, withTransport } from './transport.js'

t.test('the table of faults has names that the client knows, each once', async t => {
  const listed = Object.values(faultTable).flat()
  const known = new Set(errorNames(kafka).values())
  t.strictSame(listed.filter(name => !known.has(name)), [])
  t.equal(new Set(listed).size, listed.length)
  t.equal(faultOf('SOMETHING_NEW'), 'topic')
})

t.test('behind a record that is refused at once, those of its key fail in this turn', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  fake.latest.refusals.set('1', '_UNKNOWN_TOPIC')
  fake.latest.refusals.set('large', 'MSG_SIZE_TOO_LARGE')
  const outcomes = allSent(transport, [
    record('t', 'a', '1'), record('t', 'a', '2'), record('t', 'b', '3'), record('u', 'a', '4'),
    record('t', 'c', 'large'), record('t', 'c', '5'),
  ])
  t.strictSame([...fake.latest.produced.keys()], ['3', '4', '5'])
  for (const value of ['3', '4', '5']) fake.latest.report(value)
  t.match(await outcomes, [
    { fault: 'topic', reason: '_UNKNOWN_TOPIC' }, { fault: 'topic', reason: '_UNKNOWN_TOPIC' }, undefined, undefined,
    { fault: 'event', reason: 'MSG_SIZE_TOO_LARGE' }, undefined,
  ])

  const next = sent(transport, record('t', 'a', '2'))
  fake.latest.report('2')
  t.equal(await next, undefined, 'the next turn')
})

t.test('behind a record whose topic is found missing at once, those of its key do not wait for its creation', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', { KAFKA_CREATE_TOPICS: 'true' }, fake.load)
  const first = sent(transport, record('t', 'a', '0'))
  await until('it is handed over', () => fake.latest.produced.has('0'))
  fake.latest.report('0')
  t.equal(await first, undefined)

  fake.latest.refusals.set('1', '_UNKNOWN_TOPIC')
  const outcomes = allSent(transport, [record('t', 'a', '1'), record('t', 'a', '2'), record('t', 'b', '3')])
  await until('what waited for the topic is handed over', () => fake.latest.produced.has('3'))
  t.equal(fake.latest.produced.has('2'), false, 'it would be stored before the one that has to go again')
  fake.latest.report('3')
  t.match(await outcomes, [{ fault: 'topic' }, { fault: 'topic', reason: '_UNKNOWN_TOPIC' }, undefined])
})

t.test('a record that came after others were refused with their batch is not at fault for the next batch', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  const outcomes = [record('t', 'a', '1'), record('t', 'b', '2')].map(async one => await sent(transport, one))
  fake.latest.report('1', 'MSG_SIZE_TOO_LARGE')
  outcomes.push(sent(transport, record('t', 'c', '3')))
  for (const value of ['2', '3']) fake.latest.report(value, 'MSG_SIZE_TOO_LARGE')
  outcomes.push(sent(transport, record('t', 'c', '3')))
  fake.latest.report('3', 'MSG_SIZE_TOO_LARGE')
  t.match(await Promise.all(outcomes), [{ fault: 'topic' }, { fault: 'topic' }, { fault: 'topic' }, { fault: 'event' }])
})

t.test('behind a record that fails, those of its key that are on their way fail, stored or not', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  const outcomes = allSent(transport, [
    record('t', 'a', '0'), record('t', 'a', '1'), record('t', 'b', 'other'), record('t', 'a', '2'), record('t', 'a', '3'),
  ])
  fake.latest.report('1', 'NOT_ENOUGH_REPLICAS')
  const later = sent(transport, record('t', 'a', 'later'))
  for (const value of ['0', 'other', '2', 'later']) fake.latest.report(value)
  fake.latest.report('3', '_MSG_TIMED_OUT')
  t.match(await outcomes, [
    undefined, { fault: 'topic', reason: 'NOT_ENOUGH_REPLICAS' }, undefined,
    { fault: 'topic', reason: 'NOT_ENOUGH_REPLICAS' }, { fault: 'topic', reason: '_MSG_TIMED_OUT' },
  ])
  t.equal(await later, undefined, 'what is sent later is not behind it')
  t.strictSame(transport.failed, { event: 0, topic: 3, cluster: 0 })
})

t.test('a record without an answer is a fault of its topic where Kafka answers, else of Kafka', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  for (const [value, reason] of [['1', '_MSG_TIMED_OUT'], ['2', '_DESTROY']]) {
    const outcome = sent(transport, record('t', 'a', value))
    fake.latest.report(value, reason)
    t.match(await outcome, { fault: 'topic', reason })
  }
  fake.latest.isSilent = true
  const outcome = sent(transport, record('another', 'a', '3'))
  fake.latest.report('3', '_MSG_TIMED_OUT')
  t.match(await outcome, { fault: 'cluster', reason: '_MSG_TIMED_OUT' })
  t.equal(transport.isUp, false)
})

t.test('after a fatal error what is on its way fails, and another producer takes over', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  const first = fake.latest
  const outcomes = allSent(transport, [record('t', 'a', '1'), record('t', 'b', '2')])
  first.emit('event.error', new Error('fatal error'))
  t.match(await sent(transport, record('t', 'a', '3')), { fault: 'cluster' })
  t.match(await outcomes, [{ fault: 'cluster', reason: '_FATAL' }, { fault: 'cluster', reason: '_FATAL' }])
  t.equal(first.isConnected, false)

  await until('there is another producer', () => fake.producers.length === 2)
  const again = sent(transport, record('t', 'a', '1'))
  // A report of the first one comes late.
  first.report('1')
  fake.latest.report('1')
  t.equal(await again, undefined)
  t.equal(transport.stored, 1)
})

t.test('a fatal error that a report tells of replaces the producer too, when that can be made', async t => {
  const fake = new FakeKafka()
  const transport = await withTransport(t, 'x', {}, fake.load)
  const outcome = sent(transport, record('t', 'a', '1'))
  fake.connectError = new Error('no more threads')
  fake.latest.report('1', '_FATAL')
  t.match(await outcome, { fault: 'cluster', reason: '_FATAL' })
  await once(transport, 'down')
  fake.connectError = undefined
  await until('there is another producer', () => fake.producers.length === 2)
  await until('Kafka answers', () => transport.isUp)
})

t.test('without the client there is an error that says how to install it', async t => {
  const message = "Cannot find package '@confluentinc/kafka-javascript' imported from x"
  const missing = Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' })
  await t.rejects(withTransport(t, 'x', {}, async () => await loadKafkaClient(async () => { throw missing })), {
    code: 'MICS_KAFKA_CLIENT_UNUSABLE',
    message: /@confluentinc\/kafka-javascript, which is not installed: run `npm install .*`npm run kafka:client` builds it$/,
    cause: missing,
  })
  const broken = new Error('Could not locate the bindings file. Tried:\n → a\n → b')
  await t.rejects(loadKafkaClient(async () => { throw broken }),
    { message: /is installed, and cannot be loaded \(Could not locate the bindings file\. Tried:\): run /, cause: broken })
  t.equal((await loadKafkaClient()).Producer, kafka.Producer)
})
