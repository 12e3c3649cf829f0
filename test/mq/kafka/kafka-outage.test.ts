import { on } from 'node:events'
import t from 'tap'
import type { EventTransport } from '../../../lib/mq/event-transport.js'
import { withKafkaConsumer } from '../../helpers/kafka-consumer.js'
import { withKafka } from '../../helpers/kafka-server.js'
import { until } from '../../helpers/until.js'
import { allSent, isUp, numbers, record, sent, withTransport } from './transport.js'

const impatient = { KAFKA_DELIVERY_TIMEOUT_MS: '1000' }

const kafka = await withKafka(t)

t.test('without Kafka', async t => {
  await kafka.createTopic('patience')
  await kafka.stop()
  const transport = await withTransport(t, kafka.brokers, impatient)
  const creator = await withTransport(t, kafka.brokers, { ...impatient, KAFKA_CREATE_TOPICS: 'true' })
  const told: string[] = []
  transport.on('down', problem => told.push(problem))
  transport.on('up', () => told.push('up'))

  await t.test('it opens all the same, and says once that Kafka is away', async t => {
    await until('it is told', () => told.length > 0)
    t.match(told, [/Connection refused/])
    t.equal(transport.isUp, false)
  })

  await t.test('what is sent fails, and it is nobody\'s fault but Kafka\'s', async t => {
    t.match(await sent(transport, record('patience', 'a', 'x')), { fault: 'cluster', reason: '_MSG_TIMED_OUT' })
    t.match(await sent(transport, record('patience', 'a', 'x')), { fault: 'cluster' }, 'once more')
    t.match(await allSent(creator, [record('one', 'a', 'x'), record('two', 'a', 'x')]),
      [{ fault: 'cluster' }, { fault: 'cluster' }], 'where the topic would be created')
    t.equal(transport.failed.cluster, 2)
  })

  await t.test('it closes while records wait', async t => {
    const another = await withTransport(t, kafka.brokers)
    const outcome = sent(another, record('patience', 'a', 'x'))
    await another.close()
    t.match(await outcome, { fault: 'cluster', reason: '_DESTROY' })
  })

  await t.test('it goes on by itself when Kafka is back', async t => {
    const up = isUp(transport)
    await kafka.restart()
    await up
    t.match(told, [/Connection refused/, 'up'])
    await until('records are stored', async () => await sent(transport, record('patience', 'a', 'x')) === undefined)
    await until('topics are created', async () => await sent(creator, record('one', 'a', 'x')) === undefined)
  })
})

t.test('a broker that is killed or hangs takes no stored record with it, and none out of its order', async t => {
  await kafka.createTopic('crash', { partitions: 4 })
  const transport = await withTransport(t, kafka.brokers, impatient)
  const states = on(transport, 'down')
  const writers = numbers(20).map(key => new Writer(transport, 'crash', key))
  const written = Promise.all(writers.map(async writer => await writer.run()))
  const progress = async (): Promise<void> => {
    const before = transport.stored
    await until('records are stored', () => transport.stored > before + 500)
  }

  await progress()
  await kafka.kill()
  await states.next()
  await kafka.restart()
  await progress()
  const { topic, cluster } = transport.failed
  kafka.pause()
  await until('records fail', () => transport.failed.topic + transport.failed.cluster > topic + cluster)
  kafka.resume()
  await progress()
  for (const writer of writers) writer.isDone = true
  await written

  const consumer = await withKafkaConsumer(t, kafka.brokers, 'crash')
  const found = await consumer.all()
  for (const { key, count } of writers) {
    const values = found.filter(found => found.key === key).map(({ value }) => Number(String(value)))
    t.strictSame(lastOfEach(values), Array.from({ length: count }, (_, index) => index), key)
  }
})

/** Sends the numbers from 0 with one key, five at a time, and again those that fail, until all of them are stored. */
class Writer {
  isDone = false
  count = 0

  constructor (
    private readonly transport: EventTransport, private readonly topic: string, readonly key: string
  ) {}

  async run (): Promise<void> {
    let batch: number[] = []
    while (!this.isDone || batch.length > 0) {
      while (!this.isDone && batch.length < 5) batch.push(this.count++)
      const outcomes = await allSent(this.transport, batch.map(number => record(this.topic, this.key, String(number))))
      batch = batch.filter((_, index) => outcomes[index] !== undefined)
    }
  }
}

/** In the order of their last copies. */
function lastOfEach (values: number[]): number[] {
  return [...new Set(values.toReversed())].reverse()
}
