import { spawn } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import t from 'tap'
import { EventType } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { body, MessageType } from '../helpers/client.js'
import { SECRET } from '../helpers/gateway.js'
import { KafkaConsumer } from '../helpers/kafka-consumer.js'
import { withKafka } from '../helpers/kafka-server.js'
import { readDocument, root, section, tableRows, codeIn } from '../helpers/markdown.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'
import { KafkaEventTransport } from '../../lib/mq/kafka/kafka-event-transport.js'
import { loadConfig } from '../../lib/config/load-config.js'

const document = readDocument('docs/events.md')

t.test('the table of events has every type, in order', async t => {
  const documented = tableRows(section(document, 'What comes')).slice(1).map(([name]) => codeIn(name)[0])
  t.strictSame(documented, Object.values(EventType).filter(name => typeof name === 'string'))
})

t.test('the consumer runs as pasted: it verifies, and passes over what comes twice', async t => {
  const kafka = await withKafka(t)
  const topic = 'im-mics-t1-event'
  // One partition: when the forged event, which is the last, was read, all before it were.
  await kafka.createTopic(topic)
  const { connect, hooks } = await startPatientGateway(t, { KAFKA_BROKERS: kafka.brokers })
  hooks.groups.set('g1', ['alice', 'bob'])
  hooks.config = { offlineUseHookPull: true }
  const published = await KafkaConsumer.start(kafka.brokers, topic)
  t.teardown(async () => await published.close())
  const alice = await connect('alice')
  await alice.sendAndAck({ toUserId: 'carol', msgBody: body('hello') })
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g1', msgBody: body('all') })
  alice.ws.close()
  const records = await published.until(6)

  // The same once more, as after a lost answer; and one that somebody without the secret wrote.
  const transport = await KafkaEventTransport.open(
    loadConfig({ TENANT_AUTH_MAP: 't1=http://hooks.example', KAFKA_BROKERS: kafka.brokers }))
  t.teardown(async () => await transport.close())
  const send = (key: string, value: Buffer): Promise<void> => new Promise((resolve, reject) => {
    transport.send({ topic, key, value, headers: [] }, error => error === undefined ? resolve() : reject(error))
  })
  for (const { key, value } of records) await send(String(key), value as Buffer)
  const forged = Buffer.from(records[0].value as Buffer)
  const at = forged.indexOf('alice')
  forged.write('elise', at)
  await send('elise', forged)

  const source = /```js\n(\/\/ events consumer[\s\S]*?)```/.exec(document)?.[1]
  const folder = t.testdir({ 'consumer.mjs': source ?? '' })
  symlinkSync(`${root}node_modules`, `${folder}/node_modules`)
  const consumer = spawn(process.execPath, ['consumer.mjs'], {
    cwd: folder,
    env: { ...process.env, BROKERS: kafka.brokers, TENANT: 't1', SECRET },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => consumer.kill('SIGKILL'))
  const lines: string[] = []
  const warnings: string[] = []
  createInterface(consumer.stdout).on('line', line => lines.push(line))
  createInterface(consumer.stderr).on('line', line => warnings.push(line))
  const ended = new Promise<number | null>(resolve => consumer.on('exit', resolve))
  await until('it has read the last one', () => warnings.some(line => line.includes('wrong signature')))
  t.strictSame([...lines].sort(), [
    'CONNECT_OFFLINE alice on d1',
    'CONNECT_ONLINE alice on d1',
    'GROUP_CHAT_MSG alice to g1: all',
    'OFFLINE_MESSAGE alice to bob: all',
    'OFFLINE_MESSAGE alice to carol: hello',
    'SINGLE_CHAT_MSG alice to carol: hello',
  ])
  consumer.kill('SIGTERM')
  t.equal(await ended, 0, 'it ends in order')
  t.equal(lines.length, 6)
})
