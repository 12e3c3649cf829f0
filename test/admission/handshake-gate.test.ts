import t from 'tap'
import { HandshakeGate } from '../../lib/admission/handshake-gate.js'

function gate (maxPerSecond: number, maxInProgress: number) {
  const clock = { now: 0 }
  const handshakes = new HandshakeGate(maxPerSecond, maxInProgress, () => clock.now)
  return {
    clock,
    handshakes,
    /** How many of `count` handshakes may begin. */
    enter: (tenantId: string, count: number) =>
      Array.from({ length: count }, () => handshakes.enter(tenantId)).filter(Boolean).length,
    leave (tenantId: string, count: number) {
      for (let i = 0; i < count; i++) handshakes.leave(tenantId)
    },
  }
}

t.test('a tenant has half of the room at most, so that its storm leaves room for others', async t => {
  const { handshakes, enter, leave } = gate(10_000, 10)
  t.equal(enter('storm', 100), 5)
  t.equal(enter('calm', 3), 3)
  t.equal(enter('third', 100), 2, 'the node has its limit too')
  t.equal(enter('fourth', 1), 0)
  t.equal(handshakes.inProgress, 10)

  leave('storm', 5)
  t.equal(handshakes.inProgress, 5)
  t.equal(enter('storm', 100), 5)
})

t.test('a tenant has half of the rate at most, and what it is refused is not taken from others', async t => {
  const { clock, enter, leave } = gate(10, 10_000)
  t.equal(enter('storm', 1000), 5)
  t.equal(enter('calm', 1000), 5)
  t.equal(enter('third', 1000), 0, 'the node has its limit too')
  leave('storm', 5)
  t.equal(enter('storm', 1), 0, 'leaving gives no rate back')
  clock.now += 1000
  t.equal(enter('storm', 1000), 5)
  t.equal(enter('calm', 1000), 5)
})

t.test('whoever finds no room uses up no rate', async t => {
  const { enter, leave } = gate(10, 4)
  t.equal(enter('t1', 100), 2)
  leave('t1', 2)
  t.equal(enter('t1', 100), 2)
  leave('t1', 2)
  t.equal(enter('t1', 100), 1, 'five in all')
})

t.test('the smallest limits let one through', async t => {
  const { clock, enter, leave } = gate(1, 1)
  t.equal(enter('t1', 5), 1)
  clock.now += 1000
  t.equal(enter('t2', 5), 0)
  leave('t1', 1)
  t.equal(enter('t2', 5), 1)
})
