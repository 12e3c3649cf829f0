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

t.test('a tenant that floods the memory forgets calls of its own, and shortens no other tenant\'s time', async t => {
  const memory = new RequestIdMemory(100, () => 0)
  for (let i = 0; i < 20; i++) t.ok(memory.add('quiet', `r${i}`, 10_000 + 100 * i))
  // As far in the future as a call may be.
  for (let i = 0; i < 1000; i++) memory.add('loud', `r${i}`, 600_000 + i)
  t.ok(memory.size <= 100)
  t.ok(memory.add('quiet', 'next', 9000), 'older than what the flood has pushed out')
  for (let i = 0; i < 20; i++) t.notOk(memory.add('quiet', `r${i}`, 10_000 + 100 * i), 'still known')
  t.notOk(memory.add('loud', 'next', 599_000))
})

t.test('however many tenants there are, the memory is bounded, and no call is accepted twice', async t => {
  let now = 0
  const memory = new RequestIdMemory(10, () => now)
  const accepted: Array<[string, number]> = []
  for (let i = 0; i < 200; i++) {
    if (memory.add(`tenant ${i}`, 'r', 5000 + 10 * i)) accepted.push([`tenant ${i}`, 5000 + 10 * i])
  }
  t.ok(memory.size <= 10)
  for (const [tenantId, expiresAt] of accepted) t.notOk(memory.add(tenantId, 'r', expiresAt), tenantId)
  now = 20_000
  t.ok(memory.add('tenant 1', 'r2', 25_000))
  t.equal(memory.size, 1)
})

t.test('no call is ever accepted twice, and the bound holds', async () => {
  const call = fc.record({
    tenant: fc.integer({ min: 1, max: 4 }),
    id: fc.integer({ min: 0, max: 30 }),
    age: fc.integer({ min: -4000, max: 4000 }),
  })
  fc.assert(fc.property(fc.array(call, { maxLength: 200 }), fc.integer({ min: 1, max: 10 }), (calls, max) => {
    let now = 1_000_000
    const memory = new RequestIdMemory(max, () => now)
    const accepted = new Set<string>()
    // A call's time is part of what is signed: the same id always has the same.
    const times = new Map<number, number>()
    for (const { tenant, id: number, age } of calls) {
      const id = tenant * 100 + number
      now += 100
      const time = times.get(id) ?? now + age
      times.set(id, time)
      if (Math.abs(time - now) > 5000 || !memory.add(`t${tenant}`, String(id), time + 5000)) continue
      if (accepted.has(String(id)) || memory.size > max) return false
      accepted.add(String(id))
    }
    return true
  }))
})
