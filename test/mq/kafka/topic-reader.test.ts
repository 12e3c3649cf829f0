import kafkaPackage from '@confluentinc/kafka-javascript'
import t, { type Test } from 'tap'
import { loadConfig } from '../../../lib/config/load-config.js'
import { clientSettings } from '../../../lib/mq/kafka/client-settings.js'
import type { KafkaConsumer } from '../../../lib/mq/kafka/kafka-consumer.js'
import {
  TopicReader, type PartitionBounds, type PartitionRange, type TopicReaderOptions, type TopicRecord,
} from '../../../lib/mq/kafka/topic-reader.js'
import { promised, withKafkaClient, KAFKA_PATIENCE } from '../../helpers/kafka-client.js'
import { withKafka } from '../../helpers/kafka-server.js'
import { until } from '../../helpers/until.js'
import { allSent, record, withTransport } from './transport.js'

const kafka = await withKafka(t, { properties: { 'auto.create.topics.enable': true } })

async function openReader (t: Test, topic: string, more: Partial<TopicReaderOptions> = {}): Promise<TopicReader> {
  const settings = clientSettings(loadConfig({ KAFKA_BROKERS: kafka.brokers }, { embedded: true }))
  const reader = await TopicReader.open({
    settings, topic, group: 'mics-test', timeoutMs: KAFKA_PATIENCE, ...more,
  })
  t.teardown(async () => await reader.close())
  return reader
}

function all (bounds: readonly PartitionBounds[]): PartitionRange[] {
  return bounds.map(({ partition, low, high }) => ({ partition, from: low, to: high }))
}

/** All that a reader gives. */
async function collect (batches: AsyncIterable<TopicRecord[]>): Promise<TopicRecord[]> {
  const all: TopicRecord[] = []
  for await (const batch of batches) all.push(...batch)
  return all
}

/** Stores records, those of one key in order. */
async function fill (t: Test, topic: string, records: Array<[key: string, value: string]>): Promise<void> {
  const transport = await withTransport(t, kafka.brokers)
  const errors = await allSent(transport, records.map(([key, value]) => record(topic, key, value)))
  t.ok(errors.every(error => error === undefined))
}

const many = Array.from({ length: 1200 }, (_, i): [string, string] => [`key-${i % 7}`, String(i)])

t.test('all that is in a topic is read once, in order per partition, with key, headers and time', async t => {
  await kafka.createTopic('all', { partitions: 3 })
  await fill(t, 'all', many)
  const transport = await withTransport(t, kafka.brokers)
  const headers: Array<[string, string]> = [['a', 'é'], ['a', 'twice']]
  await allSent(transport, [{ topic: 'all', key: 'last', value: Buffer.from([0, 255]), headers }])

  const reader = await openReader(t, 'all')
  const bounds = await reader.bounds()
  t.strictSame(bounds.map(({ partition, low }) => [partition, low]), [[0, 0], [1, 0], [2, 0]])
  t.equal(bounds.reduce((sum, { high }) => sum + high, 0), 1201)
  const found = await collect(reader.read(all(bounds)))
  t.equal(found.length, 1201)
  for (const { partition, high } of bounds) {
    const offsets = found.filter(record => record.partition === partition).map(({ offset }) => offset)
    t.strictSame(offsets, Array.from({ length: high }, (_, i) => i))
  }
  for (const key of new Set(many.map(([key]) => key))) {
    t.strictSame(found.filter(record => record.key === key).map(({ value }) => String(value)),
      many.filter(([other]) => other === key).map(([, value]) => value), key)
  }
  const last = found.find(({ key }) => key === 'last')
  t.strictSame([last?.value, last?.headers], [Buffer.from([0, 255]), headers])
  t.ok(Math.abs((last?.timestampMs ?? 0) - Date.now()) < 600_000)
})

t.test('a part of a topic is that part', async t => {
  await kafka.createTopic('part', { partitions: 2 })
  await fill(t, 'part', many.slice(0, 40))
  const reader = await openReader(t, 'part')
  const [{ high }] = await reader.bounds()
  t.ok(high > 10)
  const found = await collect(reader.read([{ partition: 0, from: 3, to: 7 }, { partition: 1, from: 5, to: 5 }]))
  t.strictSame(found.map(({ partition, offset }) => [partition, offset]), [[0, 3], [0, 4], [0, 5], [0, 6]])
  t.strictSame(await collect(reader.read([{ partition: 0, from: high, to: high }])), [], 'an empty one too')
  const again = await collect(reader.read([{ partition: 0, from: 0, to: 2 }]))
  t.strictSame(again.map(({ offset }) => offset), [0, 1], 'a reader reads as often as is wanted')
})

t.test('what comes is read as it comes, until it is enough', async t => {
  await kafka.createTopic('tail')
  await fill(t, 'tail', [['k', 'old']])
  const reader = await openReader(t, 'tail')
  const [{ high }] = await reader.bounds()
  const stop = new AbortController()
  const batches = reader.read([{ partition: 0, from: high, to: Infinity }], stop.signal)
  const first = batches.next()
  await fill(t, 'tail', [['k', 'new']])
  const { value } = await first
  t.match(value, [{ offset: 1 }])
  stop.abort()
  t.strictSame(await batches.next(), { done: true, value: undefined })
})

t.test('a broker that goes and comes back is waited for', async t => {
  await kafka.createTopic('restart')
  const told: string[] = []
  const reader = await openReader(t, 'restart', { onAway: why => told.push(why), onBack: () => told.push('back') })
  const stop = new AbortController()
  const batches = reader.read([{ partition: 0, from: 0, to: Infinity }], stop.signal)
  const first = batches.next()
  await fill(t, 'restart', [['k', '1']])
  await first
  const second = batches.next()
  await kafka.kill()
  await until('it is told of', () => told.length > 0)
  await kafka.restart()
  await fill(t, 'restart', [['k', '2']])
  t.match((await second).value, [{ value: Buffer.from('2') }])
  await until('its end is told of', () => told.length > 1)
  t.match(told, [/Connection refused|Disconnected/, 'back'])
  stop.abort()
  await batches.return(undefined)
})

t.test('a time is found in each partition', async t => {
  await kafka.createTopic('times', { partitions: 2 })
  const times = [1000, 2000, 3000]
  await withKafkaClient(kafka.brokers, async producer => {
    for (const time of times) producer.produce('times', 0, Buffer.from('x'), 'k', time)
    await promised(done => producer.flush(KAFKA_PATIENCE, error => done(error, undefined)))
  })
  const reader = await openReader(t, 'times')
  const bounds = await reader.bounds()
  const since = async (time: number): Promise<Array<[number, number]>> => [...await reader.offsetsSince(bounds, time)]
  t.strictSame(await since(0), [[0, 0], [1, 0]])
  t.strictSame(await since(1500), [[0, 1], [1, 0]])
  t.strictSame(await since(3000), [[0, 2], [1, 0]])
  t.strictSame(await since(4000), [[0, 3], [1, 0]], 'none is as young')
})

t.test('what is committed is found again, by the group that committed it', async t => {
  await kafka.createTopic('progress', { partitions: 2 })
  await fill(t, 'progress', many.slice(0, 20))
  const reader = await openReader(t, 'progress', { group: 'one' })
  const bounds = await reader.bounds()
  t.strictSame([...await reader.committed(bounds)], [])
  await collect(reader.read(all(bounds)))
  t.strictSame([...await reader.committed(bounds)], [], 'reading commits nothing')
  await reader.commit(new Map([[1, 2]]))
  const again = await openReader(t, 'progress', { group: 'one' })
  t.strictSame([...await again.committed(bounds)], [[1, 2]])
  t.strictSame([...await (await openReader(t, 'progress', { group: 'two' })).committed(bounds)], [])
})

t.test('a topic that is not there is told, and not created', async t => {
  const reader = await openReader(t, 'missing')
  await t.rejects(reader.bounds(), { code: 'MICS_TOPIC_MISSING', topic: 'missing' })
  t.notOk((await kafka.topics()).includes('missing'))
})

t.test('no Kafka is told with the reason', async t => {
  const settings = clientSettings(loadConfig({ KAFKA_BROKERS: '127.0.0.1:1' }, { embedded: true }))
  await t.rejects(TopicReader.open({ settings, topic: 'x', group: 'mics-test', timeoutMs: 2000 }),
    { code: 'MICS_KAFKA_UNREACHABLE', message: /at 127\.0\.0\.1:1: .*Connection refused.*check that it runs/ })
})

t.test('reading leaves no consumer group behind', async t => {
  const groups = await new Promise<string[]>((resolve, reject) => {
    const admin = kafkaPackage.AdminClient.create({ 'bootstrap.servers': kafka.brokers })
    admin.listGroups({ timeout: KAFKA_PATIENCE }, (error, { groups }) => {
      admin.disconnect()
      if (error) reject(error)
      else resolve(groups.map(({ groupId }) => groupId))
    })
  })
  t.strictSame(groups, ['one'], 'but where something was committed')
})

t.test('our types of the consumer are those of the package', async t => {
  const { KafkaConsumer }: { KafkaConsumer: new (...settings: [object, object]) => Omit<KafkaConsumer, 'commitCb'> } =
    kafkaPackage
  t.type(KafkaConsumer.prototype.commitCb, Function, 'and what its types lack is there')
})
