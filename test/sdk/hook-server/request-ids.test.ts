import fc from 'fast-check'
import t from 'tap'
import { RequestIdMemory } from '../../../sdk/hook-server/src/request-ids.js'

t.test('a call is new once, until it is too old to be accepted anyway', async t => {
  let now = 1_000_000
  const memory = new RequestIdMemory(1000, () => now)
  t.ok(memory.add('t1', 'r1', now + 5000))
  t.notOk(memory.add('t1', 'r1', now + 5000))
  t.ok(memory.add('t2', 'r1', now + 5000))
  t.equal(memory.size, 2)
  now += 7000
  t.ok(memory.add('t1', 'r2', now + 5000))
  t.equal(memory.size, 1, 'what expired takes no room')
  t.equal(memory.evicted, 0)
})

t.test('a full memory forgets the oldest calls, and accepts none as old as those', async t => {
  const memory = new RequestIdMemory(3, () => 0)
  for (const [id, expiresAt] of [['a', 10_000], ['b', 10_500], ['c', 20_000], ['d', 30_000]] as const) {
    t.ok(memory.add('t1', id, expiresAt), id)
  }
  t.equal(memory.evicted, 2)
  t.equal(memory.size, 2)
  t.notOk(memory.add('t1', 'a', 10_000), 'forgotten, and not accepted again')
  t.notOk(memory.add('t1', 'new', 10_900), 'nobody can tell')
  t.ok(memory.add('t1', 'new', 11_000))
})

t.test('no call is ever accepted twice, and the bound holds', async () => {
  const call = fc.record({ id: fc.integer({ min: 0, max: 30 }), age: fc.integer({ min: -4000, max: 4000 }) })
  fc.assert(fc.property(fc.array(call, { maxLength: 200 }), fc.integer({ min: 1, max: 10 }), (calls, max) => {
    let now = 1_000_000
    const memory = new RequestIdMemory(max, () => now)
    const accepted = new Set<string>()
    // A call's time is part of what is signed: the same id always has the same.
    const times = new Map<number, number>()
    for (const { id, age } of calls) {
      now += 100
      const time = times.get(id) ?? now + age
      times.set(id, time)
      if (Math.abs(time - now) > 5000 || !memory.add('t1', String(id), time + 5000)) continue
      if (accepted.has(String(id)) || memory.size > max) return false
      accepted.add(String(id))
    }
    return true
  }))
})
