import kafka, { type GlobalConfig } from '@confluentinc/kafka-javascript'
import t from 'tap'
import { KAFKA_PATIENCE, clientSettings, promised, withKafkaClient } from './kafka-client.js'
import { withKafkaConsumer } from './kafka-consumer.js'
import { withKafka } from './kafka-server.js'

/** Stores one record, when it resolves. */
async function publish (
  brokers: string, topic: string, value: string, settings: Record<string, string> = {}
): Promise<void> {
  const producer = new kafka.HighLevelProducer({ ...clientSettings(brokers), ...settings } as GlobalConfig, {})
  await promised(done => producer.connect({ topic, timeout: KAFKA_PATIENCE }, done))
  try {
    await promised(done => producer.produce(topic, null, Buffer.from(value), 'key', 1234, [{ a: '1' }, { a: '2' }], done))
  } finally {
    await promised(done => producer.disconnect(done))
  }
}

t.test('a record goes through, and what was stored outlives a stop and a kill', async t => {
  const server = await withKafka(t)
  await server.createTopic('chat', { partitions: 3 })
  await server.createTopic('other')
  t.strictSame(await server.topics(), ['chat', 'other'])

  const consumer = await withKafkaConsumer(t, server.brokers, 'chat')
  t.strictSame(await consumer.all(), [])
  await publish(server.brokers, 'chat', 'first')
  const [first] = await consumer.until(1)
  t.match(first, {
    key: 'key', value: Buffer.from('first'), headers: [['a', '1'], ['a', '2']], offset: 0, timestamp: 1234,
  })

  await server.stop()
  await server.restart()
  await publish(server.brokers, 'chat', 'second')
  await server.kill()
  await server.restart()
  await publish(server.brokers, 'chat', 'third')

  const values: string[] = []
  for await (const { value } of consumer) {
    if (values.push(String(value)) === 3) break
  }
  t.strictSame(values, ['first', 'second', 'third'], 'a consumer that was there all the time')
  const later = await withKafkaConsumer(t, server.brokers, 'chat')
  t.strictSame((await later.all()).map(({ value }) => String(value)), ['first', 'second', 'third'], 'one that comes later')

  await server.deleteTopic('chat')
  t.strictSame(await server.topics(), ['other'])
})

t.test('a server that stands still answers nothing, and goes on afterwards', async t => {
  const server = await withKafka(t)
  server.pause()
  await t.rejects(withKafkaClient(server.brokers, async () => {}, 500), 'no answer')
  server.resume()
  await server.createTopic('chat')
  t.strictSame(await server.topics(), ['chat'])
  server.pause()
  await server.stop()
})

t.test('properties are those of the broker', async t => {
  const server = await withKafka(t, { properties: { 'message.max.bytes': 1000, 'auto.create.topics.enable': true } })
  await t.rejects(publish(server.brokers, 'by-itself', 'x'.repeat(2000)), { message: /too large/i })
  t.strictSame(await server.topics(), ['by-itself'])
})

t.test('listeners ask for TLS, for users by PLAIN and SCRAM, and for both', async t => {
  const server = await withKafka(t, {
    listeners: {
      ENCRYPTED: { tls: true },
      PLAIN: { sasl: 'PLAIN' },
      SCRAM: { sasl: 'SCRAM-SHA-256' },
      BOTH: { tls: true, sasl: 'SCRAM-SHA-512' },
    },
    users: { alice: 'a secret' },
  })
  await server.createTopic('chat')
  const tls = { 'ssl.ca.location': server.certificateFile }
  const user = { 'sasl.username': 'alice', 'sasl.password': 'a secret' }
  const ways = {
    ENCRYPTED: { 'security.protocol': 'ssl', ...tls },
    PLAIN: { 'security.protocol': 'sasl_plaintext', 'sasl.mechanisms': 'PLAIN', ...user },
    SCRAM: { 'security.protocol': 'sasl_plaintext', 'sasl.mechanisms': 'SCRAM-SHA-256', ...user },
    BOTH: { 'security.protocol': 'sasl_ssl', 'sasl.mechanisms': 'SCRAM-SHA-512', ...tls, ...user },
  }
  for (const [listener, settings] of Object.entries(ways)) {
    await publish(server.brokersOf(listener), 'chat', listener, settings)
  }
  const consumer = await withKafkaConsumer(t, server.brokersOf('BOTH'), 'chat', { settings: ways.BOTH })
  t.strictSame((await consumer.all()).map(({ value }) => String(value)), Object.keys(ways))
})
