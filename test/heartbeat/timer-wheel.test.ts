import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { TimerWheel, type OnWheel } from '../../lib/heartbeat/timer-wheel.js'

interface Item extends OnWheel {
  name: string
}

/** A wheel of 16 slots that tick every 100 ms of a clock that the test winds. `due`: who came up, and when. */
function startWheel (t: Test, onDue: (item: Item) => void = () => {}) {
  mock.timers.enable({ apis: ['setInterval'] })
  const due: string[] = []
  let now = 0
  const wheel = new TimerWheel<Item>(100, 16, item => {
    due.push(`${item.name}@${now}`)
    onDue(item)
  })
  t.teardown(() => {
    wheel.close()
    mock.timers.reset()
  })
  return {
    wheel,
    due,
    item: (name: string): Item => ({ name, slot: -1 }),
    pass (ms: number): void {
      for (const end = now + ms; now < end;) {
        now += 100
        mock.timers.tick(100)
      }
    },
  }
}

t.test('an item comes up once, not before its delay and at most two ticks later', async t => {
  for (const delay of [0, 1, 99, 100, 101, 250, 1000, 1300]) {
    const { wheel, due, item, pass } = startWheel(t)
    wheel.add(item('a'), delay)
    pass(5000)
    t.equal(due.length, 1)
    const at = Number(due[0].split('@')[1])
    // The first tick may come right after the item: one more than the delay asks for.
    t.ok(at >= delay + 100 && at <= delay + 200, `${delay} ms came up at ${at}`)
    wheel.close()
    mock.timers.reset()
  }
})

t.test('items of one slot come up together, others at their own time', async t => {
  const { wheel, due, item, pass } = startWheel(t)
  wheel.add(item('late'), 500)
  wheel.add(item('a'), 100)
  wheel.add(item('b'), 100)
  pass(2000)
  t.strictSame(due, ['a@200', 'b@200', 'late@600'])
})

t.test('a removed item does not come up, and may be removed again or added anew', async t => {
  const { wheel, due, item, pass } = startWheel(t)
  const a = item('a')
  wheel.remove(a)
  wheel.add(a, 100)
  wheel.remove(a)
  wheel.remove(a)
  pass(2000)
  t.strictSame(due, [])
  wheel.add(a, 100)
  pass(2000)
  t.strictSame(due, ['a@2200'])
  wheel.remove(a)
})

t.test('a delay of more than a turn comes up early, after a turn', async t => {
  const { wheel, due, item, pass } = startWheel(t)
  wheel.add(item('a'), 60_000)
  pass(10_000)
  t.strictSame(due, ['a@1500'])
})

t.test('whoever hears of an item may put it back, with any delay', async t => {
  for (const delay of [0, 100, 60_000]) {
    const wheelOf = startWheel(t, item => {
      if (wheelOf.due.length < 3) wheelOf.wheel.add(item, delay)
    })
    wheelOf.wheel.add(wheelOf.item('a'), 100)
    wheelOf.pass(10_000)
    t.equal(wheelOf.due.length, 3)
    t.equal(new Set(wheelOf.due).size, 3, 'each time in another tick')
    wheelOf.wheel.close()
    mock.timers.reset()
  }
})

t.test('an item may take others of its slot off the wheel', async t => {
  const other: Item = { name: 'other', slot: -1 }
  const { wheel, due, item, pass } = startWheel(t, () => wheel.remove(other))
  wheel.add(item('a'), 100)
  wheel.add(other, 100)
  pass(5000)
  t.strictSame(due, ['a@200'])
})

t.test('a closed wheel stands still', async t => {
  const { wheel, due, item, pass } = startWheel(t)
  wheel.add(item('a'), 100)
  wheel.close()
  pass(5000)
  t.strictSame(due, [])
})
