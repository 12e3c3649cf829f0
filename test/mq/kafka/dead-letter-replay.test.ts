import t from 'tap'
import { PublishError } from '../../../lib/mq/event-transport.js'
import { DeadLetterReplay, ReplayStoppedError } from '../../../lib/mq/kafka/dead-letter-replay.js'
import { MemoryTopic, ScriptedTransport } from './dead-letters.js'

const TOPIC = 'im-mics-acme-event'
const NOW = 1_700_000_000_000

const tooLarge = new PublishError('event', 'MSG_SIZE_TOO_LARGE', 'too large')
const missing = new PublishError('topic', '_UNKNOWN_TOPIC', 'no such topic')

/** A topic of two partitions with these dead letters, and where they are replayed to. */
function scene (
  values: [string[], string[]], errors?: ConstructorParameters<typeof ScriptedTransport>[0]
) {
  const topic = new MemoryTopic(2)
  for (const [partition, list] of values.entries()) {
    for (const value of list) topic.add(partition, value)
  }
  const transport = new ScriptedTransport(errors)
  return { topic, transport, replay: new DeadLetterReplay(topic, transport, TOPIC, () => NOW) }
}

t.test('a dead letter is published as the event that it was, and says that it was one', async t => {
  const { replay, transport } = scene([['a'], []])
  t.strictSame(await replay.run(await replay.plan()), { replayed: 1, truncated: 0, failed: 0 })
  t.strictSame(transport.records, [{
    topic: TOPIC,
    key: 'key-0',
    value: Buffer.from('a'),
    headers: [['mics-tenant-id', 'acme'], ['mics-replayed-at', String(NOW)]],
  }])
})

t.test('one that was replayed before says when it was the last time', async t => {
  const { replay, topic, transport } = scene([[], []])
  topic.add(0, 'a', { headers: [['mics-replayed-at', '1'], ['mics-dlq-reason', 'X']] })
  await replay.run(await replay.plan())
  t.strictSame(transport.records[0]?.headers, [['mics-replayed-at', String(NOW)]])
})

t.test('the next replay goes on where the last one ended', async t => {
  const { replay, topic, transport } = scene([['a', 'b'], ['c']])
  await replay.run(await replay.plan())
  topic.add(0, 'd')
  const plan = await replay.plan()
  t.match(plan, { total: 1, earlier: 3 })
  await replay.run(plan)
  t.strictSame(transport.values, ['a', 'b', 'c', 'd'])
})

t.test('what comes while it runs is for the next time', async t => {
  const { replay, topic, transport } = scene([['a'], []])
  const plan = await replay.plan()
  topic.add(0, 'b')
  await replay.run(plan)
  t.strictSame(transport.values, ['a'])
  t.match(await replay.plan(), { total: 1 })
})

t.test('again starts over, and goes on from there', async t => {
  const { replay, transport } = scene([['a', 'b'], []])
  await replay.run(await replay.plan())
  const plan = await replay.plan({ again: true })
  t.match(plan, { total: 2, earlier: 0 })
  await replay.run(plan)
  t.strictSame(transport.values, ['a', 'b', 'a', 'b'])
  t.match(await replay.plan(), { total: 0, earlier: 2 })
})

t.test('what is too old is passed over for good', async t => {
  const { replay, topic, transport } = scene([['a', 'b', 'c'], ['d']])
  const plan = await replay.plan({ sinceMs: 2 })
  t.match(plan, { total: 1, older: 3, earlier: 0 })
  await replay.run(plan)
  t.strictSame(transport.values, ['c'])
  t.match(await replay.plan(), { total: 0, earlier: 4 })
  t.match(await replay.plan({ again: true }), { total: 4 })
  t.strictSame([...topic.offsets], [[0, 3], [1, 1]])
})

t.test('what was replayed is not passed over as too old as well', async t => {
  const { replay, topic } = scene([['a', 'b', 'c'], []])
  topic.offsets.set(0, 2)
  t.match(await replay.plan({ sinceMs: 1 }), { total: 1, older: 0, earlier: 2 })
})

t.test('records that the topic no longer has are not counted', async t => {
  const { replay, topic } = scene([['a', 'b', 'c'], []])
  topic.deleted[0] = 2
  topic.offsets.set(0, 1)
  t.match(await replay.plan(), { total: 1, earlier: 0, older: 0 })
})

t.test('offsets of a topic of the same name that was deleted do not count', async t => {
  const { replay, topic } = scene([['a'], []])
  topic.offsets.set(0, 10)
  t.match(await replay.plan(), { total: 1, earlier: 0 })
})

t.test('a dry run counts, and changes nothing', async t => {
  const { replay, topic, transport } = scene([['a', 'b'], ['c']])
  topic.add(1, 'd', { headers: [['mics-dlq-truncated', 'true']] })
  const plan = await replay.plan({ sinceMs: 1 })
  t.strictSame(await replay.run(plan, { dryRun: true }), { replayed: 1, truncated: 1, failed: 0 })
  t.strictSame(transport.values, [])
  t.strictSame(topic.commits, [])
})

t.test('dead letters without their data, or without a value, are passed over', async t => {
  const { replay, topic, transport } = scene([['a'], []])
  topic.add(0, 'b', { headers: [['mics-dlq-reason', 'X'], ['mics-dlq-truncated', 'true']] })
  topic.add(0, null)
  topic.add(0, 'c')
  t.strictSame(await replay.run(await replay.plan()), { replayed: 2, truncated: 2, failed: 0 })
  t.strictSame(transport.values, ['a', 'c'])
  t.match(await replay.plan(), { total: 0, earlier: 4 })
})

t.test('one that cannot be published ends it, and is the first of the next', async t => {
  const { replay, topic, transport } = scene([['a', 'b', 'c'], ['d']], [['b', tooLarge]])
  const failures: number[] = []
  const run = replay.run(await replay.plan(), { onFailed: ({ offset }) => failures.push(offset) })
  await t.rejects(run, {
    code: 'MICS_REPLAY_STOPPED',
    message: 'the dead letter at partition 0, offset 1 could not be published: MSG_SIZE_TOO_LARGE: too large',
    error: tooLarge,
    counts: { replayed: 2, truncated: 0, failed: 1 },
  })
  t.strictSame(failures, [1])
  t.strictSame([...topic.offsets], [[0, 1], [1, 1]], 'other partitions are as far as they came')

  transport.errors.clear()
  await replay.run(await replay.plan())
  t.strictSame(transport.values, ['a', 'c', 'd', 'b', 'c'], 'what was behind it comes behind it once more')
})

t.test('one that is refused for ever can be skipped', async t => {
  const { replay, transport } = scene([['a', 'b', 'c'], []], [['b', tooLarge]])
  t.strictSame(await replay.run(await replay.plan(), { skipFailed: true }), { replayed: 2, truncated: 0, failed: 1 })
  t.strictSame(transport.values, ['a', 'c'])
  t.match(await replay.plan(), { total: 0, earlier: 3 })
})

t.test('a topic that takes nothing is never skipped, and not tried with each', async t => {
  const { replay, topic, transport } = scene([['a', 'b'], ['c']], [['a', missing], ['b', missing], ['c', missing]])
  const failures: number[] = []
  const run = replay.run(await replay.plan(), { skipFailed: true, onFailed: ({ offset }) => failures.push(offset) })
  await t.rejects(run, ReplayStoppedError)
  t.strictSame([...topic.offsets], [])
  t.strictSame(failures, [0])
  t.equal(transport.sent, 4, 'all at once, then one alone')
})

t.test('those that were refused with another one are published on their own', async t => {
  const { replay, transport } = scene([['a', 'b', 'c'], ['d']],
    [['a', missing, undefined], ['b', missing, tooLarge], ['c', missing, undefined], ['d', missing, undefined]])
  t.strictSame(await replay.run(await replay.plan(), { skipFailed: true }), { replayed: 3, truncated: 0, failed: 1 })
  t.strictSame(transport.values, ['a', 'c', 'd'])
})

t.test('where one of those ends it, the others are for the next time', async t => {
  const { replay, topic, transport } = scene([['a', 'b', 'c'], []],
    [['a', missing, undefined], ['b', missing, tooLarge], ['c', missing, undefined]])
  await t.rejects(replay.run(await replay.plan()), {
    message: 'the dead letter at partition 0, offset 1 could not be published: MSG_SIZE_TOO_LARGE: too large',
  })
  t.strictSame([...topic.offsets], [[0, 1]])
  t.strictSame(transport.values, ['a'])
})

t.test('progress is remembered only when all before it is stored', async t => {
  const { topic, transport, replay } = scene([Array.from({ length: 250 }, (_, i) => String(i)), []])
  const stored: number[] = []
  const commit = topic.commit.bind(topic)
  topic.commit = async offsets => {
    stored.push(transport.records.length)
    await commit(offsets)
  }
  await replay.run(await replay.plan())
  t.strictSame(topic.commits.map(offsets => offsets.get(0)), [100, 200, 250])
  t.strictSame(stored, [100, 200, 250])
})

t.test('progress that cannot be remembered ends it', async t => {
  const { topic, replay } = scene([['a'], []])
  topic.commit = async () => { throw new Error('no') }
  await t.rejects(replay.run(await replay.plan()), { message: 'no' })
})

t.test('interrupted, it ends with what is on its way, and goes on later', async t => {
  const { topic, transport, replay } = scene([Array.from({ length: 250 }, (_, i) => String(i)), ['x']])
  const stop = new AbortController()
  const counts = await replay.run(await replay.plan(), { signal: stop.signal, onProgress: () => stop.abort() })
  t.match(counts, { replayed: 100 })
  t.strictSame([...topic.offsets], [[0, 100]])
  await replay.run(await replay.plan())
  t.equal(new Set(transport.values).size, 251)
  t.equal(transport.values.length, 251, 'none twice')
})

t.test('with a rate they go a tenth of a second\'s worth at a time', async t => {
  const { transport, topic } = scene([['a', 'b', 'c'], []])
  const times = [0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]
  const replay = new DeadLetterReplay(topic, transport, TOPIC, () => times.shift() ?? 0)
  await replay.run(await replay.plan(), { rate: 20 })
  t.strictSame(topic.commits.map(offsets => offsets.get(0)), [2, 3])
})

t.test('waiting for the next to go ends when it is interrupted', async t => {
  const { transport, replay } = scene([['a', 'b'], []])
  const stop = new AbortController()
  const run = replay.run(await replay.plan(), {
    rate: 0.001, // One in a quarter of an hour.
    signal: stop.signal,
    onProgress: () => setImmediate(() => stop.abort()),
  })
  t.match(await run, { replayed: 1 })
  t.strictSame(transport.values, ['a'])
})
