import t, { type Test } from 'tap'
import { decodeEvent, firsts } from '../helpers/events.js'
import { withKafka } from '../helpers/kafka-server.js'
import { withKafkaConsumer, type KafkaConsumer } from '../helpers/kafka-consumer.js'
import { MicsProcess } from '../process/mics-process.js'
import { deadLetter, eventRecord, publish, SECRET, type EventFields } from './event-records.js'
import { mics, type Finished } from './run.js'

const kafka = await withKafka(t)

interface Topics {
  event: string
  deadLetter: string
}

/** Each test has a tenant of its own, whose topics these are. */
async function topicsOf (tenant: string, config: Record<string, string> = {}): Promise<Topics> {
  const topics = { event: `im-mics-${tenant}-event`, deadLetter: `im-mics-${tenant}-event-dlq` }
  await kafka.createTopic(topics.event, { partitions: 2, config })
  await kafka.createTopic(topics.deadLetter, { partitions: 2 })
  return topics
}

async function dlq (args: string[], env: NodeJS.ProcessEnv = {}): Promise<Finished> {
  return await mics(['events', 'dlq', ...args], { KAFKA_BROKERS: kafka.brokers, ...env })
}

function parsed (stdout: string): Array<Record<string, any>> {
  return stdout.split('\n').filter(Boolean).map(line => JSON.parse(line))
}

/** The numbers that a replay ends with: replayed, without data, too old, failed, earlier. */
function countsOf (stdout: string): number[] {
  return stdout.split('\n').filter(Boolean).map(line => Number(/ (\d+)$/.exec(line)?.[1]))
}

/** Message ids of what was published, of one conversation where it is given. */
async function published (consumer: KafkaConsumer, key?: string): Promise<string[]> {
  const records = await consumer.all()
  return records.filter(record => key === undefined || record.key === key).map(record => decodeEvent(record).msgId)
}

function numbered (count: number, fields: EventFields = {}): EventFields[] {
  return Array.from({ length: count }, (_, i) => ({ msgId: `n${i}`, ...fields }))
}

async function publishLetters (t: Test, topic: string, letters: EventFields[]): Promise<void> {
  await publish(t, kafka.brokers, letters.map(fields => deadLetter(topic, fields)))
}

t.test('dead letters are listed with why they are, and how many there are of each reason', async t => {
  const { deadLetter: topic } = await topicsOf('acme')
  await publish(t, kafka.brokers, [
    deadLetter(topic, { msgId: 'a' }),
    deadLetter(topic, { msgId: 'b' }, { reason: 'UNKNOWN_TOPIC_OR_PART', message: 'no such topic', attempts: 3 }),
    deadLetter(topic, { msgId: 'c' }, { isTruncated: true }),
    eventRecord(topic, { msgId: 'd' }),
  ])
  const { stdout, stderr, exitCode } = await dlq(['list', '--tenant', 'acme'], { MICS_EVENT_SECRET: SECRET })
  t.equal(exitCode, 0)
  const [a, b, c, d] = parsed(stdout)
  t.match(a, { msg_id: 'a', signature: 'ok', event_data: { msg_body_size: 5 } })
  t.strictSame(b?.dead_letter, {
    reason: 'UNKNOWN_TOPIC_OR_PART',
    message: 'no such topic',
    attempts: 3,
    topic: 'im-mics-acme-event',
    failed_at: '2026-01-31T08:00:01.000Z',
    truncated: false,
  })
  t.match(c, { msg_id: 'c', dead_letter: { truncated: true } })
  t.notOk('dead_letter' in (d ?? {}))
  t.equal(stderr, `dead letters             4
  MSG_SIZE_TOO_LARGE     2
  UNKNOWN_TOPIC_OR_PART  1
  not a dead letter      1
`)
  const table = await dlq(['list', '--tenant', 'acme', '--format', 'table'])
  const lines = table.stdout.split('\n')
  t.match(lines[0], /^TIME +PLACE +REASON +TRIES +FAILED AT +TYPE /)
  t.match(lines[2], /UNKNOWN_TOPIC_OR_PART +3 +2026-01-31T08:00:01\.000Z +SINGLE_CHAT_MSG/)
  t.match(lines[3], /MSG_SIZE_TOO_LARGE \(truncated\) /)
  t.match(await dlq(['list', '--tenant', 'acme', '--since', '2100-01-01']), { stdout: '', stderr: 'no dead letters\n', exitCode: 0 })
  t.match(await mics(['events', 'tail', '--dlq', '-t', 'acme', '--from-beginning', '--limit', '1'], { KAFKA_BROKERS: kafka.brokers }),
    { stdout: /"dead_letter":/, exitCode: 0 }, 'tail has them too')
})

t.test('dead letters are published again, as the events they were and in order', async t => {
  const topics = await topicsOf('again')
  const ann = numbered(30, { userId: 'ann' })
  const carl = numbered(30, { userId: 'carl' })
  await publishLetters(t, topics.deadLetter, ann.flatMap((fields, i) => [fields, carl[i] ?? {}]))
  const consumer = await withKafkaConsumer(t, kafka.brokers, topics.event)

  const dry = await dlq(['replay', '-t', 'again', '--dry-run'])
  t.match(dry, { exitCode: 0, stderr: '', stdout: /^to replay +60$/m })
  t.strictSame(await consumer.all(), [])

  const replay = await dlq(['replay', '-t', 'again'])
  t.match(replay, { exitCode: 0, stderr: '' })
  t.equal(replay.stdout, `replayed                         60
passed over, without their data   0
passed over, older than --since   0
failed                            0
done by an earlier replay         0
`)
  const records = await consumer.all()
  t.equal(records.length, 60)
  const expected = ann.map(({ msgId }) => msgId)
  t.strictSame(await published(consumer, 'ann:bob'), expected)
  t.strictSame(await published(consumer, 'carl:bob'), expected)
  const original = eventRecord(topics.event, ann[0])
  const [first] = records.filter(({ key }) => key === 'ann:bob')
  t.ok(first?.value?.equals(original.value))
  t.strictSame(first?.headers.map(([name]) => name), ['traceparent', 'mics-tenant-id', 'mics-event-type', 'mics-replayed-at'])

  t.strictSame(countsOf((await dlq(['replay', '-t', 'again'])).stdout), [0, 0, 0, 0, 60], 'once is enough')
  await publishLetters(t, topics.deadLetter, [{ msgId: 'late' }])
  t.strictSame(countsOf((await dlq(['replay', '-t', 'again'])).stdout), [1, 0, 0, 0, 60])
  t.strictSame(countsOf((await dlq(['replay', '-t', 'again', '--again'])).stdout), [61, 0, 0, 0, 0])
  t.equal((await consumer.all()).length, 122)
  const [again] = parsed((await mics(['events', 'tail', '-t', 'again', '--from-beginning', '--limit', '1'], { KAFKA_BROKERS: kafka.brokers })).stdout)
  t.match(again?.replayed_at, /^20\d\d-/)
})

t.test('what is truncated or too old is passed over', async t => {
  const topics = await topicsOf('over')
  await publish(t, kafka.brokers, [
    deadLetter(topics.deadLetter, { msgId: 'a' }, { isTruncated: true }), deadLetter(topics.deadLetter, { msgId: 'b' }),
  ])
  const consumer = await withKafkaConsumer(t, kafka.brokers, topics.event)
  t.strictSame(countsOf((await dlq(['replay', '-t', 'over', '--since', '2100-01-01', '--dry-run'])).stdout), [0, 0, 2, 0, 0])
  t.strictSame(countsOf((await dlq(['replay', '-t', 'over'])).stdout), [1, 1, 0, 0, 0])
  t.strictSame(countsOf((await dlq(['replay', '-t', 'over', '--since', '1d'])).stdout), [0, 0, 0, 0, 2])
  t.strictSame(await published(consumer), ['b'])
})

t.test('one that is still too large ends the replay, or is skipped', async t => {
  const topics = await topicsOf('narrow', { 'max.message.bytes': '2000' })
  const body = Buffer.alloc(3000, 'x')
  await publishLetters(t, topics.deadLetter, [{ msgId: 'a' }, { msgId: 'b', body }, { msgId: 'c' }])
  const consumer = await withKafkaConsumer(t, kafka.brokers, topics.event)
  const env = { KAFKA_COMPRESSION: 'none' }

  const stopped = await dlq(['replay', '-t', 'narrow'], env)
  t.equal(stopped.exitCode, 1)
  t.strictSame(countsOf(stopped.stdout), [1, 0, 0, 1, 0])
  t.match(stopped.stderr, /^failed: partition \d, offset 1: MSG_SIZE_TOO_LARGE: .*\nthe replay stopped at it: let im-mics-narrow-event take it \(max\.message\.bytes.*--skip-failed, and run the replay again/)

  const skipped = await dlq(['replay', '-t', 'narrow', '--skip-failed'], env)
  t.equal(skipped.exitCode, 1, 'what failed is not forgotten')
  t.strictSame(countsOf(skipped.stdout), [1, 0, 0, 1, 1])
  t.strictSame(countsOf((await dlq(['replay', '-t', 'narrow'], env)).stdout), [0, 0, 0, 0, 3])
  t.strictSame(firsts(await published(consumer)), ['a', 'c'])
})

t.test('a topic of events that is missing ends it, and nothing is lost', async t => {
  const topics = await topicsOf('gone')
  await publishLetters(t, topics.deadLetter, numbered(3))
  await kafka.deleteTopic(topics.event)
  const { exitCode, stdout, stderr } = await dlq(['replay', '-t', 'gone', '--skip-failed'], { KAFKA_DELIVERY_TIMEOUT_MS: '3000' })
  t.equal(exitCode, 1)
  t.equal(countsOf(stdout)[0], 0)
  t.match(stderr, /^failed: .*\nthe replay stopped at it: im-mics-gone-event takes no events now; mend that, and run the replay again/)
  await kafka.createTopic(topics.event)
  t.strictSame(countsOf((await dlq(['replay', '-t', 'gone'])).stdout), [3, 0, 0, 0, 0])
})

t.test('a replay that is interrupted goes on where it stopped', async t => {
  const topics = await topicsOf('broken-off')
  const letters = numbered(40)
  await publishLetters(t, topics.deadLetter, letters)
  const consumer = await withKafkaConsumer(t, kafka.brokers, topics.event)
  const slow = MicsProcess.start(t, ['events', 'dlq', 'replay', '-t', 'broken-off', '--rate', '1'], { KAFKA_BROKERS: kafka.brokers })
  await consumer.until(1)
  slow.signal('SIGINT')
  t.equal(await slow.ended, 1)
  t.equal(slow.stderr, 'interrupted: the next replay goes on here\n')
  const [done] = countsOf(slow.stdout)
  t.ok(done < 40)

  t.strictSame(countsOf((await dlq(['replay', '-t', 'broken-off'])).stdout), [40 - done, 0, 0, 0, done])
  t.strictSame(await published(consumer), letters.map(({ msgId }) => msgId), 'all of them, in order and none twice')
})

t.test('a replay that is killed goes on too, and may publish some twice', async t => {
  const topics = await topicsOf('killed')
  const letters = numbered(40)
  await publishLetters(t, topics.deadLetter, letters)
  const consumer = await withKafkaConsumer(t, kafka.brokers, topics.event)
  const slow = MicsProcess.start(t, ['events', 'dlq', 'replay', '-t', 'killed', '--rate', '1'], { KAFKA_BROKERS: kafka.brokers })
  await consumer.until(2)
  slow.signal('SIGKILL')
  await slow.ended
  const { exitCode, stdout } = await dlq(['replay', '-t', 'killed'])
  t.equal(exitCode, 0)
  const [replayed, , , , earlier] = countsOf(stdout)
  t.equal(replayed + earlier, 40)
  t.ok(earlier >= 1, 'the first was remembered before the second was published')
  t.strictSame(firsts(await published(consumer)), letters.map(({ msgId }) => msgId))
})

t.test('no topic of dead letters is an error that says what that may mean', async t => {
  for (const command of ['list', 'replay']) {
    const { exitCode, stdout, stderr } = await dlq([command, '-t', 'nobody'])
    t.equal(exitCode, 1)
    t.equal(stdout, '')
    t.match(stderr, /^there is no topic im-mics-nobody-event-dlq, .*so there may be none; is "nobody" the tenant's id\?\n$/)
  }
})
