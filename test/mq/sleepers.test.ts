import t from 'tap'
import { Sleepers, startTimer } from '../../lib/mq/sleepers.js'
import { TestClock } from './queue.js'

t.test('each is woken at its time, once', async t => {
  const clock = new TestClock()
  const sleepers = new Sleepers(clock.now, clock.startTimer)
  const woken: string[] = []
  const late = {}
  const sleep = (who: object, name: string, inMs: number): void => {
    sleepers.sleep(who, clock.time + inMs, () => woken.push(name))
  }
  sleep(late, 'late', 100)
  sleep({}, 'early', 10)
  sleep({}, 'soon', 30.5)
  clock.advance(9)
  t.same(woken, [])
  clock.advance(1)
  t.same(woken, ['early'])
  sleep(late, 'later', 200)
  clock.advance(21)
  t.same(woken, ['early', 'soon'])
  clock.advance(150)
  t.same(woken, ['early', 'soon'], 'what was said last counts')
  clock.advance(100)
  t.same(woken, ['early', 'soon', 'later'])
  t.equal(sleepers.size, 0)
  t.ok(clock.isIdle)
})

t.test('who is woken may sleep again', async t => {
  const clock = new TestClock()
  const sleepers = new Sleepers(clock.now, clock.startTimer)
  let woken = 0
  const who = {}
  const sleep = (): void => sleepers.sleep(who, clock.time + 10, () => {
    woken++
    sleep()
  })
  sleep()
  for (let i = 0; i < 5; i++) clock.advanceToNext()
  t.equal(woken, 5)
})

t.test('who is forgotten is not woken, nor is anybody after the end', async t => {
  const clock = new TestClock()
  const sleepers = new Sleepers(clock.now, clock.startTimer)
  const who = {}
  sleepers.sleep(who, clock.time + 10, () => t.fail('forgotten'))
  sleepers.forget(who)
  clock.advance(10)
  sleepers.sleep(who, clock.time + 10, () => t.fail('closed'))
  sleepers.close()
  t.ok(clock.isIdle)
  clock.advance(10)
})

t.test('a timer of the process runs once, unless it is cancelled', async t => {
  startTimer(1, () => t.fail('cancelled'))()
  // It is unref'd: something else must keep the process.
  const alive = setInterval(() => {}, 1000)
  await new Promise<void>(resolve => { startTimer(5, resolve) })
  clearInterval(alive)
})
