import t from 'tap'
import { EventQuota, type Pending } from '../../lib/mq/event-quota.js'

const LIMITS = { maxEvents: 1000, maxBytes: 1_000_000, maxEventsPerTenant: 500, maxBytesPerTenant: 400_000 }

/** Tenants that never get rid of anything. */
function setup (limits: Partial<typeof LIMITS> = {}): {
  quota: EventQuota
  take: (tenant: string, bytes?: number) => string
  fill: (tenant: string, bytes?: number) => { taken: number, refusal: string }
} {
  const quota = new EventQuota({ ...LIMITS, ...limits })
  const tenants = new Map<string, Pending>()
  const take = (tenant: string, bytes = 100): string => {
    const pending = tenants.get(tenant)
    const refusal = quota.refusal(pending, bytes)
    if (refusal !== undefined) return refusal
    quota.take(bytes)
    tenants.set(tenant, { events: (pending?.events ?? 0) + 1, bytes: (pending?.bytes ?? 0) + bytes })
    return 'taken'
  }
  const fill = (tenant: string, bytes?: number): { taken: number, refusal: string } => {
    for (let taken = 0; ; taken++) {
      const refusal = take(tenant, bytes)
      if (refusal !== 'taken') return { taken, refusal }
    }
  }
  return { quota, take, fill }
}

t.test('a tenant takes as many events, and as many bytes, as it may', async t => {
  const { fill } = setup()
  t.same(fill('many'), { taken: 500, refusal: 'queue_full' })
  t.same(fill('large', 100_000), { taken: 4, refusal: 'queue_full' })
})

t.test('an event that alone passes the quota is taken where its tenant has nothing pending', async t => {
  const { take } = setup()
  t.equal(take('t', 500_000), 'taken')
  t.equal(take('t', 1), 'queue_full')
})

t.test('an event that alone passes what the node may hold is taken where there is nothing else', async t => {
  const { take } = setup()
  t.equal(take('t', 5_000_000), 'taken')
  t.equal(take('other', 1), 'node_full')
})

t.test('where the node is full a tenant with little pending still takes some, and the others none', async t => {
  const { fill, take } = setup()
  fill('a')
  fill('b')
  t.equal(take('a'), 'queue_full')
  t.same(fill('c'), { taken: 125, refusal: 'node_full' }, 'half of the reserve')
  t.same(fill('d'), { taken: 63, refusal: 'node_full' }, 'half of what is left')
})

t.test('no tenant takes more than 256 events, or 1 MiB, from the reserve', async t => {
  const events = setup({ maxEvents: 100_000, maxEventsPerTenant: 50_000, maxBytes: 1e9, maxBytesPerTenant: 1e9 })
  events.fill('a')
  events.fill('b')
  t.same(events.fill('c'), { taken: 256, refusal: 'node_full' })
  const bytes = setup({ maxBytes: 100_000_000, maxBytesPerTenant: 50_000_000 })
  bytes.fill('a', 500_000)
  bytes.fill('b', 500_000)
  t.same(bytes.fill('c', 200_000), { taken: 5, refusal: 'node_full' })
  t.equal(bytes.take('d', 2_000_000), 'taken', 'a first one is taken whatever its size')
})

t.test('however many tenants are stuck, the next one takes something, and the node is bounded', async t => {
  const { fill, quota } = setup()
  for (let i = 0; i < 120; i++) fill(`stuck${i}`)
  t.ok(quota.events <= 1250)
  t.ok(quota.bytes <= 1_250_000)
  const few = setup()
  for (let i = 0; i < 5; i++) few.fill(`stuck${i}`)
  t.ok(few.fill('healthy').taken > 10)
})

t.test('what is released can be taken again', async t => {
  const { quota, fill, take } = setup()
  for (const tenant of ['a', 'b', 'c']) fill(tenant)
  t.equal(take('c'), 'node_full')
  for (let i = 0; i < 200; i++) quota.release(100)
  t.equal(take('c'), 'taken')
})

t.test('the smallest capacity has a reserve too', async t => {
  const { take } = setup({ maxEvents: 1 })
  t.same([take('a'), take('a'), take('b'), take('c')], ['taken', 'node_full', 'taken', 'node_full'])
})
