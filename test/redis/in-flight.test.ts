import t from 'tap'
import { InFlight } from '../../lib/redis/in-flight.js'

const never = new Promise<never>(() => {})

// Its own timer lets the process end.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

t.test('an answer is passed on, a failure too, and neither stays behind', async t => {
  const inFlight = new InFlight(60_000)
  const answers = [inFlight.wait(Promise.resolve(1)), inFlight.wait(Promise.reject(new Error('no')))]
  t.equal(inFlight.size, 2)
  t.equal(await answers[0], 1)
  await t.rejects(answers[1], { message: 'no' })
  t.equal(inFlight.size, 0)
})

t.test('what does not come in time is rejected, the oldest first', async t => {
  const inFlight = new InFlight(20)
  const order: number[] = []
  const first = inFlight.wait(never).catch(error => { order.push(1); throw error })
  await new Promise(resolve => setImmediate(resolve))
  const second = inFlight.wait(never).catch(error => { order.push(2); throw error })
  await t.rejects(first, { code: 'MICS_TIMEOUT', message: 'no answer within 20 ms' })
  await t.rejects(second, { code: 'MICS_TIMEOUT' })
  t.strictSame(order, [1, 2])
  t.equal(inFlight.size, 0)
  await t.rejects(inFlight.wait(never), { code: 'MICS_TIMEOUT' }, 'also after a pause')
})

t.test('abort rejects what is waited for, and nothing later', async t => {
  const inFlight = new InFlight(60_000)
  const answer = inFlight.wait(never)
  inFlight.abort(new Error('gone'))
  await t.rejects(answer, { message: 'gone' })
  t.equal(await inFlight.wait(Promise.resolve('later')), 'later')
})

t.test('it is idle when every answer has been handed on, or given up', async t => {
  const inFlight = new InFlight(60_000)
  await inFlight.idle()
  const told: string[] = []
  const answer = Promise.resolve().then(async () => await Promise.resolve('late'))
  const waits = [
    inFlight.wait(answer).then(value => { told.push(value) }),
    inFlight.wait(Promise.reject(new Error('no'))).catch(() => { told.push('no') }),
  ]
  await inFlight.idle()
  t.strictSame(told.toSorted(), ['late', 'no'])
  await Promise.all(waits)
  const aborted = inFlight.wait(never).catch((error: Error) => { told.push(error.message) })
  const idle = inFlight.idle()
  inFlight.abort(new Error('gone'))
  await idle
  t.ok(told.includes('gone'))
  await aborted
})
