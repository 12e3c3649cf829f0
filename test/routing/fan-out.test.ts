import t from 'tap'
import { FanOut } from '../../lib/routing/fan-out.js'

/** Time that passes only when a step takes some. */
function clock (): { now: () => number, pass: (ms: number) => void } {
  let time = 0
  return { now: () => time, pass: ms => { time += ms } }
}

t.test('tenants take turns, and a tenant\'s messages go one after another', async t => {
  const fanOut = new FanOut(() => 0)
  const steps: string[] = []
  const task = (name: string, count: number) => (): boolean => {
    steps.push(name)
    return --count === 0
  }
  await Promise.all([
    fanOut.run('t1', task('t1 first', 3)),
    fanOut.run('t1', task('t1 second', 1)),
    fanOut.run('t2', task('t2', 2)),
  ])
  t.same(steps, ['t1 first', 't2', 't1 first', 't2', 't1 first', 't1 second'])
})

t.test('a turn of the event loop has only so much of them', async t => {
  const { now, pass } = clock()
  const fanOut = new FanOut(now)
  let turns = 0
  const stepsBefore: number[] = []
  let steps = 0
  const watch = (): void => {
    stepsBefore.push(steps)
    if (++turns < 3) setImmediate(watch)
  }
  setImmediate(watch)
  await fanOut.run('t1', () => {
    pass(1)
    return ++steps === 9
  })
  t.equal(steps, 9)
  t.ok(turns >= 2, 'other work had its turn in between')
  t.ok(stepsBefore[1] - stepsBefore[0] <= 3, 'three steps of a millisecond fill the budget')
})

t.test('a step that throws ends its own message only', async t => {
  const fanOut = new FanOut()
  const [failed, other] = await Promise.allSettled([
    fanOut.run('t1', () => { throw new Error('broken') }),
    fanOut.run('t1', () => true),
  ])
  t.match(failed, { status: 'rejected', reason: { message: 'broken' } })
  t.equal(other.status, 'fulfilled')
})

t.test('a tenant\'s member lists may hold so much memory and no more; a single one always fits', async t => {
  const MIB = 1024 * 1024
  const fanOut = new FanOut()
  t.ok(fanOut.reserve('t1', 100 * MIB))
  t.notOk(fanOut.reserve('t1', 1))
  t.ok(fanOut.reserve('t2', 40 * MIB), 'another tenant has room of its own')
  t.notOk(fanOut.reserve('t2', 40 * MIB))
  fanOut.release('t1', 100 * MIB)
  t.ok(fanOut.reserve('t1', 1))
})
