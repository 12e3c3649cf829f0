import t from 'tap'
import { Lifecycle } from '../../lib/lifecycle/lifecycle.js'

const NEVER = new AbortController().signal

function noError (step: string, error: unknown): void {
  throw new Error(`${step} failed`, { cause: error })
}

t.test('it starts, is ready, drains, and never goes back', async t => {
  const lifecycle = new Lifecycle()
  t.equal(lifecycle.state, 'starting')
  t.equal(lifecycle.isDraining, false)
  lifecycle.ready()
  t.equal(lifecycle.state, 'ready')
  const drained = lifecycle.drain(NEVER, noError)
  t.equal(lifecycle.state, 'draining', 'at once: whoever asks now must not be let in')
  t.equal(lifecycle.isDraining, true)
  await drained
  lifecycle.ready()
  t.equal(lifecycle.state, 'draining')
})

t.test('it knows since when it is to stop: from leaving on, where it leaves first', async t => {
  let now = 1000
  const lifecycle = new Lifecycle(() => now++)
  lifecycle.ready()
  t.equal(lifecycle.stoppingSince, undefined)
  await lifecycle.leave(0)
  t.equal(lifecycle.stoppingSince, 1000)
  await lifecycle.drain(NEVER, noError)
  t.equal(lifecycle.stoppingSince, 1000)

  const atOnce = new Lifecycle(() => now++)
  await atOnce.drain(NEVER, noError)
  t.equal(atOnce.stoppingSince, 1001)
})

t.test('it may drain before it was ever ready', async t => {
  const lifecycle = new Lifecycle()
  await lifecycle.drain(NEVER, noError)
  lifecycle.ready()
  t.equal(lifecycle.state, 'draining')
})

t.test('steps run one after another in the order registered, and see the state and the deadline', async t => {
  const lifecycle = new Lifecycle()
  const told: string[] = []
  const deadline = AbortSignal.abort()
  lifecycle.onDrain('slow', async signal => {
    told.push(`slow begins ${lifecycle.state} ${signal === deadline}`)
    await new Promise(resolve => { setImmediate(resolve) })
    told.push('slow ends')
  })
  lifecycle.onDrain('quick', () => { told.push('quick') })
  await lifecycle.drain(deadline, noError)
  t.strictSame(told, ['slow begins draining true', 'slow ends', 'quick'])
})

t.test('a step that fails is told by name and does not keep the next from running', async t => {
  const lifecycle = new Lifecycle()
  const told: unknown[] = []
  lifecycle.onDrain('rejects', async () => { throw new Error('one') })
  lifecycle.onDrain('throws', () => { throw new Error('two') })
  lifecycle.onDrain('works', () => { told.push('works') })
  await lifecycle.drain(NEVER, (step, error) => { told.push(step, (error as Error).message) })
  t.strictSame(told, ['rejects', 'one', 'throws', 'two', 'works'])
})

t.test('later calls join the first', async t => {
  const lifecycle = new Lifecycle()
  let runs = 0
  lifecycle.onDrain('once', () => { runs++ })
  const first = lifecycle.drain(NEVER, noError)
  t.equal(lifecycle.drain(NEVER, noError), first)
  await first
  await lifecycle.drain(NEVER, noError)
  t.equal(runs, 1)
})
