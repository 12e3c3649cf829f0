import t from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { body } from '../helpers/client.js'
import { decodeEvent } from '../helpers/events.js'
import { withKafkaConsumer } from '../helpers/kafka-consumer.js'
import { withKafka } from '../helpers/kafka-server.js'
import { until } from '../helpers/until.js'
import { connectPatiently, MicsProcess } from './mics-process.js'

t.test('the demo publishes to the Kafka that it is given, and creates the topic for it', async t => {
  const kafka = await withKafka(t)
  // A Kafka that the shell names is meant for something else.
  const mics = MicsProcess.start(t, ['dev', '--kafka', kafka.brokers], { KAFKA__BOOTSTRAP_SERVERS: '127.0.0.1:1' })
  const url = await mics.url()
  const alice = await connectPatiently(t, url, { tenantId: 'demo', token: 'valid:alice' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1', msgBody: body('hello') })
  const topic = 'im-mics-demo-event'
  await until('the topic is there', async () => (await kafka.topics()).includes(topic))
  const consumer = await withKafkaConsumer(t, kafka.brokers, topic)
  const events = (await consumer.until(2)).map(decodeEvent)
  t.match(events.find(({ eventType }) => eventType === EventType.SINGLE_CHAT_MSG), { userId: 'alice', toUserId: 'bob', msgId: 'm1' })
  mics.signal('SIGINT')
  t.equal(await mics.ended, 0)
})
