import t from 'tap'
import { collectGarbage } from '../helpers/collect-garbage.js'
import { FlushQueue, type BulkFlushable } from '../../lib/connections/flush-queue.js'

class Item implements BulkFlushable {
  isInBulk = false

  constructor (readonly name: string, private readonly flushed: (name: string) => void) {}

  flush (): void {
    this.flushed(this.name)
  }
}

function turn (): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

interface Setup {
  queue: FlushQueue
  clock: { ms: number }
  done: string[]
  item: (name: string) => Item
}

/** A queue with a clock that each flush moves on. */
function setup (flushMs = 0): Setup {
  const clock = { ms: 0 }
  const done: string[] = []
  const item = (name: string): Item => new Item(name, name => {
    done.push(name)
    clock.ms += flushMs
  })
  return { queue: new FlushQueue(() => clock.ms), clock, done, item }
}

async function turnsUntil (isDone: () => boolean): Promise<number> {
  for (let turns = 0; ; turns++) {
    if (isDone()) return turns
    await turn()
  }
}

t.test('what has something to write is flushed once, at the end of the turn', async t => {
  const { queue, done, item } = setup()
  queue.add(item('a'))
  queue.add(item('b'))
  t.strictSame(done, [])
  await turn()
  t.strictSame(done, ['a', 'b'])
})

t.test('one that throws keeps nobody else from being flushed, prompt or bulk', async t => {
  const { queue, done, item } = setup()
  const thrown = new Promise(resolve => process.once('uncaughtException', resolve))
  const bad = new Item('bad', () => { throw new Error('bad') })
  queue.add(bad)
  queue.add(item('a'))
  await thrown
  await turn()
  t.strictSame(done, ['a'])
  const thrownAgain = new Promise(resolve => process.once('uncaughtException', resolve))
  queue.addBulk('t1', bad)
  queue.addBulk('t1', item('b'))
  await thrownAgain
  await turnsUntil(() => done.includes('b'))
})

t.test('of bulk a part is flushed in each turn, and what is prompt in between', async t => {
  const { queue, done, item } = setup(0.1)
  const items = Array.from({ length: 100 }, (_, i) => item(`${i}`))
  for (const each of items) queue.addBulk('t1', each)
  await turnsUntil(() => done.length > 0)
  t.ok(done.length < 40, `${done.length} at first`)
  queue.add(item('prompt'))
  await turn()
  t.ok(done.includes('prompt'))
  t.ok(done.length < 80, 'and not all bulk before it')
  await turnsUntil(() => done.length === 101)
  t.strictSame(done.filter(name => name !== 'prompt'), items.map(({ name }) => name), 'in order')
})

t.test('an item with several frames of bulk is flushed once, and again for what comes after', async t => {
  const { queue, done, item } = setup()
  const one = item('one')
  for (let frame = 0; frame < 3; frame++) queue.addBulk('t1', one)
  await turnsUntil(() => done.length > 0)
  await turn()
  await turn()
  t.strictSame(done, ['one'])
  queue.addBulk('t1', one)
  await turnsUntil(() => done.length === 2)
})

t.test('bulk waits while frames keep coming, but not for long', async t => {
  const { queue, clock, done, item } = setup()
  const one = item('one')
  queue.addBulk('t1', one)
  for (let ms = 0; ms < 4; ms++) {
    await turn()
    t.strictSame(done, [], `after ${ms} ms`)
    clock.ms = ms + 1
    queue.addBulk('t1', one)
  }
  await turn()
  t.strictSame(done, ['one'])
})

t.test('tenants take turns: a large fan-out of one holds up no other', async t => {
  const { queue, done, item } = setup(0.1)
  for (let i = 0; i < 1000; i++) queue.addBulk('large', item(`large ${i}`))
  for (let i = 0; i < 3; i++) queue.addBulk('small', item('small'))
  await turnsUntil(() => done.includes('small'))
  t.equal(done.filter(name => name === 'small').length, 3)
  t.ok(done.length < 60, `${done.length} by then`)
  await turnsUntil(() => done.length === 1003)
})

t.test('bulk that a flush adds is flushed, too', async t => {
  const { queue, done, item } = setup()
  const added = item('added')
  queue.addBulk('t1', new Item('adds', () => queue.addBulk('t1', added)))
  for (let i = 0; i < 20; i++) queue.addBulk('t1', item(`${i}`))
  await turnsUntil(() => done.includes('19'))
  await turn()
  t.equal(done.at(-1), 'added', 'behind those that were there')
})

t.test('what has been flushed is let go, although bulk of the tenant always waits', async t => {
  const { queue, clock, done, item } = setup(0.1)
  const first = (): WeakRef<Item> => {
    const one = item('first')
    queue.addBulk('t1', one)
    return new WeakRef(one)
  }
  const flushed = first()
  const items = Array.from({ length: 50 }, (_, i) => item(`${i}`))
  // Before each turn all wait again, and a turn does not flush as many.
  for (let turns = 0; turns < 300; turns++) {
    for (const each of items) queue.addBulk('t1', each)
    clock.ms += 1
    await turn()
    if (items.every(({ isInBulk }) => !isInBulk)) t.fail('none waits')
  }
  t.ok(done.includes('first'))
  collectGarbage()
  t.equal(flushed.deref(), undefined)
  await turnsUntil(() => items.every(({ isInBulk }) => !isInBulk))
})
