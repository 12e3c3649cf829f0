import t from 'tap'
import { RetryGate } from '../../lib/mq/retry-gate.js'

t.test('while things work everything goes in', async t => {
  const gate = new RetryGate({ baseMs: 50, maxMs: 30_000, random: () => 1 })
  const tickets = [gate.enter(), gate.enter()]
  t.equal(gate.room(0), Infinity)
  t.notOk(gate.worked(tickets[0]), 'no news')
  t.equal(gate.opensAt, Infinity)
})

t.test('after a failure one goes in after a delay, and no other before its outcome', async t => {
  const gate = new RetryGate({ baseMs: 50, maxMs: 30_000, random: () => 1 })
  t.ok(gate.failed(gate.enter(), 1000))
  t.equal(gate.opensAt, 1050)
  t.equal(gate.room(1049), 0)
  t.equal(gate.room(1050), 1)
  const probe = gate.enter()
  t.equal(gate.room(99_999), 0)
  t.equal(gate.opensAt, Infinity)
  gate.unclear(probe)
  t.equal(gate.room(1050), 1, 'an outcome that says nothing lets the next one in')
  t.ok(gate.worked(gate.enter()))
  t.ok(gate.isOpen)
})

t.test('delays double up to a bound, jittered in full, and begin anew when things work', async t => {
  let random = 1
  const gate = new RetryGate({ baseMs: 50, maxMs: 300, random: () => random })
  const fail = (): number => {
    gate.failed(gate.enter(), 0)
    return gate.opensAt
  }
  t.same([fail(), fail(), fail(), fail(), fail()], [50, 100, 200, 300, 300])
  random = 0.5
  t.equal(fail(), 150)
  random = 0
  t.equal(fail(), 1, 'but never none')
  for (let i = 0; i < 2000; i++) fail()
  random = 1
  t.equal(fail(), 300)
  gate.worked(gate.enter())
  t.equal(fail(), 50)
})

t.test('outcomes of what went in before the latest change say nothing', async t => {
  const gate = new RetryGate({ baseMs: 50, maxMs: 30_000, random: () => 1 })
  const [first, second, third] = [gate.enter(), gate.enter(), gate.enter()]
  t.ok(gate.failed(first, 0))
  t.notOk(gate.failed(second, 20))
  t.equal(gate.opensAt, 50)
  t.notOk(gate.worked(third))
  t.notOk(gate.isOpen)
  gate.worked(gate.enter())
  t.notOk(gate.failed(third, 60), 'even where it works again since')
  t.ok(gate.isOpen)
})

t.test('no base still means a delay', async t => {
  const gate = new RetryGate({ baseMs: 0, maxMs: 30_000, random: () => 1 })
  gate.failed(gate.enter(), 0)
  gate.failed(gate.enter(), 0)
  t.equal(gate.opensAt, 2)
})
