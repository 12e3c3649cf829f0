import t from 'tap'
import { setup, take } from './buffer.js'

const nobody = (): boolean => false

t.test('messages come out in the order of their sequence, once', async t => {
  const { add, takeAll } = setup()
  for (const seq of [1, 2, 3]) t.ok(add({ seq }))
  t.same(takeAll(), [1, 2, 3])
  t.same(takeAll(), [])
})

t.test('what is put back comes out in its old place', async t => {
  const { buffer, add, takeAll } = setup()
  for (const seq of [1, 2, 3]) add({ seq })
  const first = take(buffer, 't1', 'bob', 'd1', nobody)
  const second = take(buffer, 't1', 'bob', 'd1', nobody)
  if (first === undefined || second === undefined) throw new Error('nothing there')
  add({ seq: 4 })
  buffer.add(second)
  buffer.add(first)
  t.same(takeAll(), [1, 2, 3, 4])
})

t.test('users and tenants do not see each other\'s messages', async t => {
  const { add, takeAll } = setup()
  add({ seq: 1 })
  add({ seq: 2, userId: 'carol' })
  add({ seq: 3, tenantId: 't2' })
  t.same(takeAll('t1', 'bob'), [1])
  t.same(takeAll('t1', 'carol'), [2])
  t.same(takeAll('t2', 'bob'), [3])
})

t.test('beyond the messages of a user the oldest go, never the newest', async t => {
  const { add, takeAll, metric } = setup({ maxMessagesPerUser: 3 })
  for (const seq of [1, 2, 3, 4, 5]) t.ok(add({ seq }))
  add({ seq: 6, userId: 'carol' })
  t.same(takeAll(), [3, 4, 5])
  t.same(takeAll('t1', 'carol'), [6], 'a bound of one user touches no other')
  t.equal(metric('mics_offline_evicted_total', { reason: 'user_limit' }), 2)
})

t.test('beyond the bytes of a user the oldest go, as many as it takes', async t => {
  const { add, takeAll } = setup({ maxBytesPerUser: 100 })
  for (const seq of [1, 2, 3]) add({ seq, bytes: 30 })
  t.ok(add({ seq: 4, bytes: 80 }))
  t.same(takeAll(), [4])
  add({ seq: 5, bytes: 100 })
  t.same(takeAll(), [5], 'a message may take all the room')
})

t.test('a message that could never be kept is refused and pushes out nothing', async t => {
  const { add, takeAll } = setup({ maxBytesPerUser: 100 })
  add({ seq: 1 })
  t.notOk(add({ seq: 2, bytes: 101 }))
  t.same(takeAll(), [1])
})

t.test('a buffer of no messages, or of no bytes, is switched off', async t => {
  t.notOk(setup({ maxMessagesPerUser: 0 }).add({ seq: 1 }))
  const noBytes = setup({ maxBytesPerUser: 0 })
  t.notOk(noBytes.add({ seq: 1, bytes: 1 }))
})

t.test('beyond the users of a tenant the one with its oldest message goes, and no other', async t => {
  const { add, takeAll, metric } = setup({ maxUsersPerTenant: 2 })
  add({ seq: 1, userId: 'a' })
  add({ seq: 2, userId: 'b' })
  add({ seq: 3, userId: 'a' })
  add({ seq: 4, tenantId: 't2', userId: 'x' })
  t.ok(add({ seq: 5, userId: 'c' }))
  t.same(takeAll('t1', 'c'), [5])
  t.same(takeAll('t1', 'a'), [])
  t.same(takeAll('t1', 'b'), [2])
  t.same(takeAll('t2', 'x'), [4])
  t.equal(metric('mics_offline_evicted_total', { reason: 'tenant_limit' }), 2)
})

t.test('beyond the bytes of a tenant its oldest go, and no other tenant\'s', async t => {
  const { add, takeAll } = setup({ maxBytesPerTenant: 10_000 })
  add({ seq: 1, tenantId: 't2', bytes: 4000 })
  for (const seq of [2, 3, 4]) add({ seq, userId: `u${seq}`, bytes: 4000 })
  t.same(takeAll('t1', 'u2'), [])
  t.same(takeAll('t1', 'u3'), [3])
  t.same(takeAll('t1', 'u4'), [4])
  t.same(takeAll('t2'), [1])
})

t.test('beyond the bytes of the node the tenant that holds the most gives, oldest first', async t => {
  const { add, takeAll, metric } = setup({ maxBytes: 20_000 })
  add({ seq: 1, tenantId: 'small', bytes: 4000 })
  for (const seq of [2, 3, 4]) add({ seq, tenantId: 'big', bytes: 4000 })
  t.ok(add({ seq: 5, tenantId: 'small', bytes: 4000 }))
  t.same(takeAll('small'), [1, 5])
  t.same(takeAll('big'), [3, 4])
  t.equal(metric('mics_offline_evicted_total', { tenant: 'big', reason: 'node_limit' }), 1)
})

t.test('what has expired is not delivered', async t => {
  const { add, takeAll, clock, metric } = setup()
  add({ seq: 1, ttlMs: 1000 })
  add({ seq: 2, ttlMs: 2000 })
  clock.time += 1000
  t.same(takeAll(), [2])
  t.equal(metric('mics_offline_evicted_total', { reason: 'expired' }), 1)
})

t.test('a sweep gives the memory of what has expired back', async t => {
  const { buffer, add, clock, metric } = setup()
  add({ seq: 1, ttlMs: 1000 })
  add({ seq: 2, userId: 'carol', ttlMs: 2000 })
  add({ seq: 3, tenantId: 't2', ttlMs: 1000 })
  clock.time += 1000
  buffer.sweep()
  t.notOk(buffer.holdsFor('t1', 'bob'))
  t.notOk(buffer.holdsFor('t2', 'bob'))
  t.ok(buffer.holdsFor('t1', 'carol'))
  clock.time += 1000
  buffer.sweep()
  t.equal(metric('mics_offline_messages'), 0)
  t.equal(metric('mics_offline_bytes'), 0)
})

t.test('a message for one device waits for that device', async t => {
  const { add, takeAll } = setup()
  add({ seq: 1, deviceId: 'phone' })
  add({ seq: 2 })
  t.same(takeAll('t1', 'bob', 'laptop'), [2])
  t.same(takeAll('t1', 'bob', 'phone'), [1])
})

t.test('a message that no other device has goes to any, while its own is away', async t => {
  const { buffer, add, takeAll } = setup()
  add({ seq: 1, deviceId: 'phone', anyDeviceInstead: true })
  t.equal(take(buffer, 't1', 'bob', 'laptop', device => device === 'phone'), undefined)
  t.same(takeAll('t1', 'bob', 'laptop'), [1])
})

t.test('a tenant that goes takes its messages along', async t => {
  const { buffer, add, takeAll, metric } = setup()
  for (const seq of [1, 2]) add({ seq, userId: `u${seq}` })
  add({ seq: 3, tenantId: 't2' })
  buffer.removeTenant('t1')
  buffer.removeTenant('never heard of')
  t.same(takeAll('t1', 'u1'), [])
  t.same(takeAll('t2'), [3])
  t.equal(metric('mics_offline_messages', { tenant: 't1' }), 0)
  t.equal(metric('mics_offline_evicted_total', { tenant: 't1', reason: 'tenant_removed' }), 2)
})

t.test('the gauges follow what is held', async t => {
  const { add, takeAll, metric } = setup()
  add({ seq: 1, bytes: 1000 })
  add({ seq: 2, bytes: 1000 })
  t.equal(metric('mics_offline_messages', { tenant: 't1' }), 2)
  t.ok(metric('mics_offline_bytes') >= 2000)
  takeAll()
  t.equal(metric('mics_offline_messages'), 0)
  t.equal(metric('mics_offline_bytes'), 0)
})
