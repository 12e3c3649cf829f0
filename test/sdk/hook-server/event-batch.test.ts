import t from 'tap'
import { EventBatch, type EventHandling } from '../../../sdk/hook-server/src/event-batch.js'
import { EventMetrics } from '../../../sdk/hook-server/src/event-metrics.js'
import type { EventRecord, SeenEvents } from '../../../sdk/hook-server/src/events.js'
import { ThrottledLogger } from '../../../sdk/hook-server/src/logger.js'
import { SeenEventMemory } from '../../../sdk/hook-server/src/seen-events.js'
import { Slots } from '../../../sdk/hook-server/src/slots.js'
import { Latch } from '../../helpers/pull-gateway.js'
import { until } from '../../helpers/until.js'
import { SECRET } from './caller.js'
import { published, recordOf } from './published.js'

/** What the batches of one consumer share. */
function scene (handling: Partial<EventHandling> & Pick<EventHandling, 'handler'>, { slots = 4, seen = new SeenEventMemory(1000) as SeenEvents } = {}) {
  const lines: string[] = []
  const stop = new AbortController()
  const state = { isLost: false, isOverdue: false }
  const metrics = new EventMetrics(() => undefined)
  const log = (_fields: object, message: string): void => { lines.push(message) }
  const shared = new Slots(slots)
  const run = async (...records: EventRecord[]): Promise<number> => await new EventBatch(records, {
    signing: { secrets: SECRET },
    handling: { maxAttempts: 3, retryDelayMs: 1, ...handling },
    seen,
    slots: shared,
    metrics,
    log: new ThrottledLogger({ warn: log, error: log }),
    stopping: stop.signal,
    isLost: () => state.isLost,
    isOverdue: () => state.isOverdue,
  }).run()
  return { run, stop, state, lines, count: (outcome: string) => Number(new RegExp(`outcome="${outcome}"} (\\d+)`).exec(metrics.text())?.[1]) }
}

const message = (key: string, msgId: string): EventRecord => recordOf(key, published({ msgId }))

t.test('a conversation is handled in order, others beside it, and no more at once than there are slots', async t => {
  const log: string[] = []
  let running = 0
  let most = 0
  const first = new Latch()
  const { run } = scene({
    handler: async ({ msgId }) => {
      most = Math.max(most, ++running)
      if (msgId === 'a1') await first.opened
      log.push(msgId)
      running--
      if (msgId === 'b2') first.open()
    },
  }, { slots: 2 })
  t.equal(await run(...['a1', 'a2', 'b1', 'b2', 'c1'].map(id => message(id[0], id))), 5)
  t.same(log.filter(id => id.startsWith('a')), ['a1', 'a2'])
  t.ok(log.indexOf('b2') < log.indexOf('a1'), 'b did not wait for a')
  t.equal(most, 2)
})

t.test('an event that comes again is handled once, also within one batch', async t => {
  const handled: string[] = []
  const { run, count } = scene({ handler: ({ msgId }) => { handled.push(msgId) } })
  t.equal(await run(message('a', 'm1'), message('a', 'm1'), message('b', 'm2')), 3)
  t.equal(await run(message('a', 'm1')), 1)
  t.same(handled, ['m1', 'm2'])
  t.equal(count('repeated'), 2)
})

t.test('a handler that throws is called again, and what is behind it in its conversation waits', async t => {
  const log: string[] = []
  const { run } = scene({
    handler: ({ msgId }, { attempt }) => {
      log.push(`${msgId}/${attempt}`)
      if (msgId === 'a1' && attempt < 3) throw new Error('not yet')
    },
  })
  t.equal(await run(message('a', 'a1'), message('a', 'a2')), 2)
  t.same(log, ['a1/1', 'a1/2', 'a1/3', 'a2/1'])
})

t.test('an event that nobody could handle is not passed over: what is before it may be committed', async t => {
  const handled: string[] = []
  let isBroken = true
  const { run } = scene({
    handler: ({ msgId }) => {
      if (msgId === 'b1' && isBroken) throw new Error('broken')
      handled.push(msgId)
    },
  })
  const records = ['a1', 'b1', 'b2', 'a2'].map(id => message(id[0], id))
  t.equal(await run(...records), 1)
  t.same(handled, ['a1', 'a2'], 'b2 waits for b1')
  isBroken = false
  t.equal(await run(...records.slice(1)), 3)
  t.same(handled, ['a1', 'a2', 'b1', 'b2'], 'each once')
})

t.test('onFailed takes an event that nobody could handle, and the conversation goes on', async t => {
  const parked: Array<[string, string]> = []
  let isFull = true
  const { run, count } = scene({
    handler: ({ msgId }) => { if (msgId === 'a1') throw new Error('poison') },
    onFailed: ({ msgId }, error) => {
      if (isFull) throw new Error('the table is full')
      parked.push([msgId, (error as Error).message])
    },
  })
  const stopped = scene({ handler: () => { throw new Error('poison') }, onFailed: () => { stopped.stop.abort(); throw new Error('the table is full') } })
  t.equal(await stopped.run(message('a', 'a1')), 0, 'one that cannot be parked comes again')
  isFull = false
  t.equal(await run(message('a', 'a1'), message('a', 'a2')), 2)
  t.same(parked, [['a1', 'poison']])
  t.equal(count('parked'), 1)
})

t.test('what is not the gateway\'s is never handled', async t => {
  const handled: string[] = []
  const invalid: string[] = []
  const handler = ({ msgId }: { msgId: string }): void => { handled.push(msgId) }
  const records = [
    recordOf('a', published({ secret: 'guessed' })), recordOf(null, Buffer.from([0xff])), recordOf(null, Buffer.alloc(0)), message('a', 'm1'),
  ]
  const heard = scene({ handler, onInvalid: ({ reason }) => { invalid.push(reason) } })
  t.equal(await heard.run(...records), 4)
  t.same(handled, ['m1'])
  t.same(invalid.sort(), ['undecodable', 'unsigned', 'wrong_signature'])
  const logged = scene({ handler })
  t.equal(await logged.run(...records), 4)
  t.match(logged.lines.join('\n'), /event passed over: the signature is wrong/)
  t.equal(logged.count('invalid'), 3)
})

t.test('told to stop, it finishes what it is at and begins nothing more', async t => {
  const handled: string[] = []
  const go = new Latch()
  const { run, stop } = scene({
    handler: async ({ msgId }, { signal }) => {
      handled.push(msgId)
      await go.opened
      t.ok(signal.aborted)
    },
  }, { slots: 1 })
  const running = run(message('a', 'a1'), message('a', 'a2'), message('b', 'b1'))
  await until('the first is at work', () => handled.length === 1)
  stop.abort()
  go.open()
  t.equal(await running, 1)
  t.same(handled, ['a1'])
})

t.test('told to stop, it waits for no further attempt', async t => {
  const { run, stop } = scene({ retryDelayMs: 1_000_000, handler: () => { stop.abort(); throw new Error('not yet') } })
  t.equal(await run(message('a', 'a1')), 0)
})

t.test('of a partition that another consumer has now, nothing more is begun', async t => {
  const handled: string[] = []
  const { run, state } = scene({ handler: ({ msgId }) => { handled.push(msgId); state.isLost = true } })
  t.equal(await run(message('a', 'a1'), message('a', 'a2')), 1)
  t.same(handled, ['a1'])
})

t.test('when its time is over it begins no other event, and does not give up the one that it is at', async t => {
  const handled: string[] = []
  const parked: string[] = []
  const { run, state } = scene({
    handler: ({ msgId }) => {
      handled.push(msgId)
      state.isOverdue = true
      throw new Error('poison')
    },
    onFailed: ({ msgId }) => { parked.push(msgId) },
  })
  t.equal(await run(message('a', 'a1'), message('a', 'a2')), 1)
  t.same(handled, ['a1', 'a1', 'a1'])
  t.same(parked, ['a1'])
})

t.test('an event waits for its next attempt also after the last, and others are handled meanwhile', async t => {
  const handled: string[] = []
  const { run, stop } = scene({
    maxAttempts: 1,
    retryDelayMs: 1_000_000,
    handler: ({ msgId }) => {
      handled.push(msgId)
      if (msgId === 'a1') throw new Error('not yet')
      stop.abort()
    },
  }, { slots: 1 })
  t.equal(await run(message('a', 'a1'), message('b', 'b1')), 0)
  t.same(handled, ['a1', 'b1'])
})

t.test('where one topic fills all slots, the next free one is another\'s', async t => {
  const handled: string[] = []
  const go = new Latch()
  const { run } = scene({
    handler: async ({ msgId }) => {
      handled.push(msgId)
      await go.opened
    },
  }, { slots: 2 })
  const many = ['a1', 'b1', 'c1', 'd1'].map(id => message(id, id))
  const running = run(...many)
  await until('the slots are taken', () => handled.length === 2)
  const other = run({ ...message('z', 'z1'), topic: 'another' })
  go.open()
  await Promise.all([running, other])
  t.same(handled, ['a1', 'b1', 'z1', 'c1', 'd1'])
})

t.test('where the memory of what was handled fails, the event comes again', async t => {
  const seen = { has: () => { stop.abort(); throw new Error('no database') }, add: () => {} }
  const { run, stop, lines } = scene({ handler: () => {} }, { seen })
  t.equal(await run(message('a', 'a1')), 0)
  t.match(lines.join('\n'), /will be tried again/)
})
