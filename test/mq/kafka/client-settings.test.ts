import t from 'tap'
import { loadConfig } from '../../../lib/config/load-config.js'
import { producerSettings } from '../../../lib/mq/kafka/client-settings.js'

const BROKERS = { NODE_ID: 'node-1', KAFKA_BROKERS: 'kafka-1:9092,kafka-2:9092' }

t.test('an event counts as stored when all replicas in sync have it, once and in order', async t => {
  const settings = producerSettings(loadConfig(BROKERS, { embedded: true }))
  t.match(settings, {
    'bootstrap.servers': 'kafka-1:9092,kafka-2:9092',
    'client.id': 'mics-node-1',
    'enable.idempotence': true,
    acks: 'all',
    'compression.type': 'lz4',
    'message.timeout.ms': 10_000,
    partitioner: 'murmur2_random',
    'allow.auto.create.topics': false,
  })
  t.ok(Number(settings['message.max.bytes']) > 1024 * 1024 + 64 * 1024, 'the largest message fits, with its event around it')
  t.ok(Number(settings['linger.ms']) > 0, 'events go in batches')
})

t.test('compression, the time of an attempt and the largest record follow the configuration', async t => {
  const small = producerSettings(loadConfig(BROKERS, { embedded: true }))
  const settings = producerSettings(loadConfig({
    ...BROKERS, KAFKA_COMPRESSION: 'zstd', KAFKA_DELIVERY_TIMEOUT_MS: '2000', MAX_MESSAGE_BYTES: String(4 * 1024 * 1024),
  }, { embedded: true }))
  t.match(settings, { 'compression.type': 'zstd', 'message.timeout.ms': 2000 })
  t.equal(Number(settings['message.max.bytes']) - Number(small['message.max.bytes']), 3 * 1024 * 1024)
})
