import kafkaPackage from '@confluentinc/kafka-javascript'
import t from 'tap'
import type { KafkaClient } from '../../../lib/mq/kafka/kafka-client.js'
import { metadataOf, withKafkaClient } from '../../helpers/kafka-client.js'
import { withKafkaConsumer } from '../../helpers/kafka-consumer.js'
import { withKafka } from '../../helpers/kafka-server.js'
import { until } from '../../helpers/until.js'
import { allSent, numbers, record, sent, withTransport } from './transport.js'

// Brokers create topics by themselves unless told otherwise, and so does this one.
const kafka = await withKafka(t, { properties: { 'auto.create.topics.enable': true } })

t.test('a record arrives with its key, headers and value', async t => {
  await kafka.createTopic('plain')
  const transport = await withTransport(t, kafka.brokers)
  const took: number[] = []
  transport.on('stored', ms => took.push(ms))
  const value = Buffer.from([0, 255, 1, 128])
  const headers: Array<[string, string]> = [['traceparent', '00-1-2-01'], ['mics-tenant', 'acmé'], ['mics-tenant', 'twice']]
  t.equal(await sent(transport, { topic: 'plain', key: 'user-ü', value, headers }), undefined)

  const consumer = await withKafkaConsumer(t, kafka.brokers, 'plain')
  const [found] = await consumer.until(1)
  t.match(found, { key: 'user-ü', headers })
  t.ok(found?.value?.equals(value))
  t.equal(transport.isUp, true)
  t.equal(transport.stored, 1)
  t.equal(transport.storedBytes, 4)
  t.equal(transport.inFlight, 0)
  t.equal(took.length, 1)
})

t.test('records of one key stay in order, wherever the others go', async t => {
  await kafka.createTopic('ordered', { partitions: 4 })
  const transport = await withTransport(t, kafka.brokers)
  const keys = numbers(20)
  const rounds = await Promise.all(numbers(50).map(async round =>
    await allSent(transport, keys.flatMap(key => [record('ordered', key, `${round}a`), record('ordered', key, `${round}b`)]))))
  t.ok(rounds.flat().every(error => error === undefined))

  const consumer = await withKafkaConsumer(t, kafka.brokers, 'ordered')
  const found = await consumer.all()
  t.equal(found.length, 2000)
  const expected = numbers(50).flatMap(round => [`${round}a`, `${round}b`])
  for (const key of keys) {
    t.strictSame(found.filter(found => found.key === key).map(({ value }) => String(value)), expected, key)
  }
  t.equal(new Set(found.map(({ partition }) => partition)).size, 4, 'the keys are spread over the partitions')
  t.equal(transport.stored, 2000)
})

t.test('a key is in the partition that the Java clients choose for it', async t => {
  await kafka.createTopic('spread', { partitions: 10 })
  const transport = await withTransport(t, kafka.brokers)
  // Keys and hashes of Kafka's own UtilsTest.testMurmur2; the partition is the hash without its sign bit, modulo 10.
  const hashes: Array<[key: string, hash: number]> = [
    ['21', -973932308], ['foobar', -790332482], ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829], ['abc', 479470107],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ]
  await allSent(transport, hashes.map(([key]) => record('spread', key, 'x')))
  const consumer = await withKafkaConsumer(t, kafka.brokers, 'spread')
  const found = new Map((await consumer.all()).map(({ key, partition }) => [key, partition]))
  for (const [key, hash] of hashes) t.equal(found.get(key), (hash & 0x7fffffff) % 10, key)
})

t.test('a record that is too large for its topic is at fault itself, and others are taken', async t => {
  await kafka.createTopic('narrow', { config: { 'max.message.bytes': '2000' } })
  const transport = await withTransport(t, kafka.brokers, { KAFKA_COMPRESSION: 'none' })
  t.match(await sent(transport, record('narrow', 'a', Buffer.alloc(3000))), { fault: 'event', reason: 'MSG_SIZE_TOO_LARGE' })
  t.equal(await sent(transport, record('narrow', 'a', 'small')), undefined)
  t.strictSame(transport.failed, { event: 1, topic: 0, cluster: 0 })
})

t.test('a record that is too large for the client fails later too, and others of the key are taken', async t => {
  const transport = await withTransport(t, kafka.brokers, { MAX_MESSAGE_BYTES: '1000' })
  let isLater = false
  const outcomes = allSent(transport, [record('plain', 'a', Buffer.alloc(200_000)), record('plain', 'a', 'small')])
  transport.send(record('plain', 'b', Buffer.alloc(200_000)), () => t.ok(isLater))
  isLater = true
  const [large, small] = await outcomes
  t.match(large, { fault: 'event', reason: 'MSG_SIZE_TOO_LARGE' })
  t.equal(small, undefined)
})

t.test('records that are refused for the size of their batch are told from one that is too large itself', async t => {
  await kafka.createTopic('crowd', { config: { 'max.message.bytes': '2000' } })
  const transport = await withTransport(t, kafka.brokers, { KAFKA_COMPRESSION: 'none' })
  const batch = numbers(20).map(number => record('crowd', 'a', number.padEnd(500)))
  const failures = (await allSent(transport, batch)).filter(error => error !== undefined)
  t.not(failures.length, 0)
  t.match(failures, failures.map(() => ({ fault: 'topic', reason: 'MSG_SIZE_TOO_LARGE' })))
  for (const one of batch) t.equal(await sent(transport, one), undefined, 'on its own')
})

t.test('a missing topic is at fault, is not created by itself, and holds up no other', async t => {
  await kafka.createTopic('beside')
  const transport = await withTransport(t, kafka.brokers)
  const order: string[] = []
  const missing = sent(transport, record('missing', 'a', 'x')).then(error => {
    order.push('missing')
    return error
  })
  await allSent(transport, numbers(10).map(number => record('beside', 'a', number)))
  order.push('beside')
  const message = /^missing: .*; create it, or set KAFKA_CREATE_TOPICS=true$/
  t.match(await missing, { fault: 'topic', reason: 'UNKNOWN_TOPIC_OR_PART', message })
  t.strictSame(order, ['beside', 'missing'])
  t.match(await sent(transport, record('missing', 'a', 'x')), { fault: 'topic', reason: '_UNKNOWN_TOPIC', message }, 'once more')
  t.notOk((await kafka.topics()).includes('missing'))
})

t.test('a topic that comes to be is used', async t => {
  const transport = await withTransport(t, kafka.brokers)
  t.match(await sent(transport, record('late', 'a', 'x')), { fault: 'topic' })
  await kafka.createTopic('late')
  await until('the topic is used', async () => await sent(transport, record('late', 'a', 'x')) === undefined)
})

t.test('where topics are to be created, a missing one is, and takes the largest event', async t => {
  const transport = await withTransport(t, kafka.brokers, { KAFKA_CREATE_TOPICS: 'true', KAFKA_TOPIC_PARTITIONS: '3', KAFKA_COMPRESSION: 'none' })
  const largest = Buffer.alloc(1_048_576 + 65_536, 'x')
  const outcomes = await allSent(transport, [...numbers(20).map(number => record('made', 'a', number)), record('made', 'a', largest)])
  t.ok(outcomes.every(error => error === undefined), String(outcomes.find(Boolean)))

  const consumer = await withKafkaConsumer(t, kafka.brokers, 'made')
  const values = (await consumer.all()).map(({ value }) => value)
  t.strictSame(values.slice(0, -1).map(String), numbers(20), 'those that waited for it are in order')
  t.ok(values.at(-1)?.equals(largest))
  t.equal(await partitionsOf('made'), 3)
  t.equal(transport.inFlight, 0)
})

t.test('a topic is created as the brokers do by default where its shape is not configured', async t => {
  const transport = await withTransport(t, kafka.brokers, { KAFKA_CREATE_TOPICS: 'true' })
  t.equal(await sent(transport, record('made-plainly', 'a', 'x')), undefined)
  t.equal(await partitionsOf('made-plainly'), 1)
})

t.test('where topics are to be created, one that is there is used as it is', async t => {
  await kafka.createTopic('there', { partitions: 2 })
  // What could not be created.
  const transport = await withTransport(t, kafka.brokers, { KAFKA_CREATE_TOPICS: 'true', KAFKA_TOPIC_REPLICATION_FACTOR: '3' })
  t.equal(await sent(transport, record('there', 'a', 'x')), undefined)
  t.equal(await partitionsOf('there'), 2)
})

t.test('where creating a topic is refused the topic is at fault, and no other', async t => {
  await kafka.createTopic('unhurt')
  const transport = await withTransport(t, kafka.brokers, { KAFKA_CREATE_TOPICS: 'true', KAFKA_TOPIC_REPLICATION_FACTOR: '3' })
  const [refused, other] = await allSent(transport, [record('refused', 'a', 'x'), record('unhurt', 'a', 'x')])
  t.match(refused, { fault: 'topic', reason: 'INVALID_REPLICATION_FACTOR', message: /^the topic refused does not exist, and creating it failed: / })
  t.equal(other, undefined)
  t.equal(transport.inFlight, 0)
})

t.test('where topics are to be created, one that is deleted is created again', async t => {
  const transport = await withTransport(t, kafka.brokers, { KAFKA_CREATE_TOPICS: 'true' })
  t.equal(await sent(transport, record('deleted', 'a', 'x')), undefined)
  await kafka.deleteTopic('deleted')
  await until('the topic is back', async () => await sent(transport, record('deleted', 'a', 'x')) === undefined)
  t.ok((await kafka.topics()).includes('deleted'))
})

t.test('records on their way when it is closed are given up, and so are those that come after', async t => {
  const transport = await withTransport(t, kafka.brokers)
  const onTheWay = allSent(transport, [record('plain', 'a', 'x'), record('nowhere', 'a', 'x')])
  await transport.close()
  t.match(await onTheWay, [{ fault: 'cluster', reason: '_DESTROY' }, { fault: 'cluster', reason: '_DESTROY' }])
  t.match(await sent(transport, record('plain', 'a', 'x')), { fault: 'cluster' })
  t.equal(transport.inFlight, 0)
  await transport.close()
})

t.test('our types of the client are those of the package', async t => {
  const client: Pick<KafkaClient, 'Producer' | 'AdminClient' | 'CODES'> = kafkaPackage
  t.type(client.Producer, Function)
  t.type(client.AdminClient.create, Function)
})

async function partitionsOf (topic: string): Promise<number> {
  const metadata = await withKafkaClient(kafka.brokers, async client => await metadataOf(client))
  return metadata.topics.find(({ name }) => name === topic)?.partitions.length ?? 0
}
