/**
 * What publishing events costs the chat. First the same load with Kafka and without, interleaved, as throughput. Then
 * the latency of acks at a steady rate: while Kafka answers, while it is stopped for 20 s, and when it is back; in
 * the end every event must be in its topic. A real Kafka, the gateways and the hooks run in processes of their own;
 * compare the figures with each other, not with another machine's.
 *
 *   npm run bench:events -- [--pairs 20] [--seconds 3] [--rounds 3] [--rate 500] [--down 20]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { fromBinary } from '@bufbuild/protobuf'
import { MqEventSchema } from '../lib/gen/mics/hook/v1/hook_pb.js'
import { KafkaConsumer } from '../test/helpers/kafka-consumer.js'
import { KafkaServer } from '../test/helpers/kafka-server.js'
import { Client } from './client.js'
import { Core } from './cores.js'
import { Processes } from './processes.js'
import { median, quantile } from './statistics.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '500' },
    down: { type: 'string', default: '20' },
  },
})
const pairs = Number(values.pairs)
const seconds = Number(values.seconds)
const rate = Number(values.rate)

const TENANT = 'unchecked'
const TOPIC = `im-mics-${TENANT}-event`
const BODY = Buffer.alloc(128, 'x')

interface Pair {
  from: Client
  to: Client
  toUserId: string
}

async function connectPairs (url: string, run: string): Promise<Pair[]> {
  return await Promise.all(Array.from({ length: pairs }, async (_, i) => {
    const toUserId = `b${run}-${i}`
    const to = await Client.connect(url, TENANT, toUserId)
    return { to, from: await Client.connect(url, TENANT, `a${run}-${i}`), toUserId }
  }))
}

function disconnect (all: Pair[]): void {
  for (const { from, to } of all) for (const { ws } of [from, to]) ws.terminate()
}

let messages = 0

/** Messages a second, one in flight a pair. */
async function throughput (url: string): Promise<number> {
  const all = await connectPairs(url, 't')
  let acked = 0
  const until = performance.now() + seconds * 1000
  await Promise.all(all.map(({ from, toUserId }) => new Promise<void>(resolve => {
    const send = (): void => from.send(toUserId, `t${++messages}`, BODY)
    from.onAck = () => {
      acked++
      if (performance.now() < until) send()
      else resolve()
    }
    send()
  })))
  disconnect(all)
  return acked / seconds
}

/** Milliseconds from sending to the ack, of `rate` messages a second over all pairs. */
async function latencies (all: Pair[], forSeconds: number): Promise<number[]> {
  const found: number[] = []
  const waiting = all.map((): number[] => [])
  for (const [i, { from }] of all.entries()) {
    from.onAck = () => { found.push(performance.now() - (waiting[i].shift() as number)) }
  }
  const count = rate * forSeconds
  const beganAt = performance.now()
  for (let sent = 0; sent < count;) {
    await delay(1)
    const due = Math.min(count, (performance.now() - beganAt) / 1000 * rate)
    for (; sent < due; sent++) {
      const i = sent % all.length
      waiting[i].push(performance.now())
      all[i].from.send(all[i].toUserId, `l${++messages}`, BODY)
    }
  }
  while (found.length < count) await delay(1)
  return found
}

function show (name: string, found: number[], base: number[]): void {
  const p50 = median(found)
  const p99 = quantile(found, 0.99)
  console.log(`${name}  ack p50 ${p50.toFixed(2)} ms (${(p50 / median(base)).toFixed(2)} of before)` +
    `  p99 ${p99.toFixed(2)} ms (${(p99 / quantile(base, 0.99)).toFixed(2)} of before)`)
}

const processes = new Processes()
let kafka: KafkaServer | undefined
try {
  kafka = await KafkaServer.start()
  await kafka.createTopic(TOPIC, { partitions: 4 })
  const { url: hooks } = await processes.script(Core.LOAD, 'bench/trivial-hooks.ts')
  const env = {
    TENANT_AUTH_MAP: JSON.stringify({ [TENANT]: `${hooks}/unchecked` }),
    TENANT_HOOK_SECRETS: JSON.stringify({ [TENANT]: 'a-secret-to-sign-with' }),
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'error',
    KAFKA_MAX_PENDING_PER_TENANT: '200000',
    KAFKA_QUEUE_CAPACITY: '200000',
    KAFKA_MAX_PENDING_BYTES_PER_TENANT: String(256 * 1024 * 1024),
    KAFKA_QUEUE_MAX_BYTES: String(256 * 1024 * 1024),
  }
  const { url: without } = await processes.script(Core.SERVER, 'bench/gateway.ts', env)
  const { url: withKafka } = await processes.script(Core.SERVER, 'bench/gateway.ts', { ...env, KAFKA_BROKERS: kafka.brokers })

  const off: number[] = []
  const on: number[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    off.push(await throughput(without))
    on.push(await throughput(withKafka))
  }
  console.log(`events off  ${median(off).toFixed(0)} msg/s`)
  console.log(`events on   ${median(on).toFixed(0)} msg/s  (${(median(on) / median(off)).toFixed(2)} of off)`)

  const all = await connectPairs(withKafka, 'l')
  const messagesBefore = messages
  await latencies(all, 2)
  const before = await latencies(all, 10)
  await kafka.stop()
  const during = await latencies(all, Number(values.down))
  await kafka.restart()
  const after = await latencies(all, 10)
  disconnect(all)
  show('Kafka answers   ', before, before)
  show('Kafka is stopped', during, before)
  show('Kafka is back   ', after, before)

  const sent = messages - messagesBefore
  const consumer = await KafkaConsumer.start(kafka.brokers, TOPIC)
  const published = (): number => new Set(consumer.records
    .map(({ value }) => fromBinary(MqEventSchema, value ?? Buffer.alloc(0)).msgId)
    .filter(msgId => msgId.startsWith('l'))).size
  const patience = performance.now() + 60_000
  while (published() < sent && performance.now() < patience) await delay(200)
  console.log(`${published()} of ${sent} messages are in the topic, ${consumer.records.length} records in all`)
  await consumer.close()
} finally {
  processes.close()
  await kafka?.close()
}
