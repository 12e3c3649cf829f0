import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { entry, NO_LIMITS, setup, type BufferSetup, type EntryFields, take } from './buffer.js'

// The buffer against a model that is a plain list in the order of arrival: slow, and plainly right.

const LIMITS = {
  maxMessagesPerUser: 4, maxBytesPerUser: 300, maxUsersPerTenant: 3, maxBytesPerTenant: 6000, maxBytes: 9000,
}
const OVERHEAD = 512

interface Real extends BufferSetup {
  /** Taken out and not put back. */
  outside: OfflineEntry[]
}

interface Model {
  entries: OfflineEntry[]
  seq: number
}

const sizeOf = ({ delivery: { message } }: OfflineEntry): number =>
  OVERHEAD + message.msgBody.length + message.msgId.length + 2 * message.toUserId.length

const sum = (entries: OfflineEntry[], of: (entry: OfflineEntry) => number): number =>
  entries.reduce((total, entry) => total + of(entry), 0)

/** The order of delivery. */
const inOrder = (entries: OfflineEntry[]): OfflineEntry[] => entries.sort((a, b) => a.delivery.seq - b.delivery.seq)

function insert (model: Model, added: OfflineEntry): void {
  model.entries.push(added)
  const bodyBytes = ({ delivery }: OfflineEntry): number => delivery.message.msgBody.length
  const evictOldest = (of: OfflineEntry[]): void => { model.entries.splice(model.entries.indexOf(of[0]), 1) }
  for (;;) {
    const { tenantId, userId } = added
    const ofUser = inOrder(model.entries.filter(item => item.tenantId === tenantId && item.userId === userId))
    if (ofUser.length <= LIMITS.maxMessagesPerUser && sum(ofUser, bodyBytes) <= LIMITS.maxBytesPerUser) break
    evictOldest(ofUser)
  }
  for (;;) {
    const ofTenant = model.entries.filter(({ tenantId }) => tenantId === added.tenantId)
    const users = new Set(ofTenant.map(({ userId }) => userId))
    if (users.size > LIMITS.maxUsersPerTenant) {
      for (const entry of ofTenant.filter(({ userId }) => userId === ofTenant[0].userId)) evictOldest([entry])
    } else if (sum(ofTenant, sizeOf) > LIMITS.maxBytesPerTenant) {
      evictOldest(ofTenant)
    } else {
      break
    }
  }
  while (sum(model.entries, sizeOf) > LIMITS.maxBytes) {
    const tenants = groups(model.entries)
    const most = Math.max(...[...tenants.values()].map(of => sum(of, sizeOf)))
    const heaviest = [...tenants.values()].filter(of => sum(of, sizeOf) === most)
    // Two that hold the same: either may give, which this model does not follow. Sizes are drawn so that it is rare.
    fc.pre(heaviest.length === 1)
    evictOldest(heaviest[0])
  }
}

function groups (entries: OfflineEntry[]): Map<string, OfflineEntry[]> {
  const tenants = new Map<string, OfflineEntry[]>()
  for (const item of entries) tenants.set(item.tenantId, [...tenants.get(item.tenantId) ?? [], item])
  return tenants
}

class Add implements fc.AsyncCommand<Model, Real> {
  constructor (private readonly fields: Omit<EntryFields, 'seq'>) {}
  check (): boolean { return true }
  async run (model: Model, real: Real): Promise<void> {
    const added = entry({ ...this.fields, seq: ++model.seq }, real.clock.time)
    assert(real.buffer.add(added), 'the newest is never refused')
    insert(model, added)
    assert(real.buffer.holdsFor(added.tenantId, added.userId))
  }

  toString (): string { return `add ${JSON.stringify(this.fields)}` }
}

class Take implements fc.AsyncCommand<Model, Real> {
  constructor (private readonly who: { tenantId: string, userId: string, deviceId: string, isOnline: boolean }) {}
  check (): boolean { return true }
  async run (model: Model, real: Real): Promise<void> {
    const { tenantId, userId, deviceId, isOnline } = this.who
    const expected = inOrder([...model.entries]).find(item => item.tenantId === tenantId && item.userId === userId &&
      item.expiresAt > real.clock.time &&
      (item.deviceId === '' || item.deviceId === deviceId || (item.anyDeviceInstead && !isOnline)))
    const taken = take(real.buffer, tenantId, userId, deviceId, () => isOnline)
    assert.equal(taken?.delivery.seq, expected?.delivery.seq)
    // What it passed on its way and had expired is gone.
    model.entries = model.entries.filter(item => item !== expected && !(item.tenantId === tenantId &&
      item.userId === userId && item.expiresAt <= real.clock.time &&
      (expected === undefined || item.delivery.seq < expected.delivery.seq)))
    if (taken !== undefined) real.outside.push(taken)
  }

  toString (): string { return `take ${JSON.stringify(this.who)}` }
}

class PutBack implements fc.AsyncCommand<Model, Real> {
  check (): boolean { return true }
  async run (model: Model, real: Real): Promise<void> {
    const back = real.outside.pop()
    if (back === undefined) return
    assert(real.buffer.add(back))
    insert(model, back)
  }

  toString (): string { return 'put back' }
}

class Pass implements fc.AsyncCommand<Model, Real> {
  constructor (private readonly ms: number) {}
  check (): boolean { return true }
  async run (_model: Model, real: Real): Promise<void> { real.clock.time += this.ms }
  toString (): string { return `${this.ms} ms pass` }
}

class Measure implements fc.AsyncCommand<Model, Real> {
  check (): boolean { return true }
  async run (model: Model, real: Real): Promise<void> {
    assert.equal(real.metric('mics_offline_messages'), model.entries.length)
    assert.equal(real.metric('mics_offline_bytes'), sum(model.entries, sizeOf))
  }

  toString (): string { return 'measure' }
}

const tenantId = fc.constantFrom('t1', 't2', 't3')
const userId = fc.constantFrom('a', 'b', 'c', 'd')
const deviceId = fc.constantFrom('phone', 'laptop')

const commands = [
  fc.record({
    tenantId,
    userId,
    bytes: fc.integer({ min: 0, max: 300 }),
    deviceId: fc.oneof(fc.constant(''), deviceId),
    anyDeviceInstead: fc.boolean(),
    ttlMs: fc.constantFrom(1000, 5000),
  }).map(fields => new Add(fields)),
  fc.record({ tenantId, userId, deviceId, isOnline: fc.boolean() }).map(who => new Take(who)),
  fc.constant(new PutBack()),
  fc.integer({ min: 1, max: 1500 }).map(ms => new Pass(ms)),
  fc.constant(new Measure()),
]

t.test('property: the buffer is the plain list of the model, whatever is done to it', async () => {
  // Without `size` there would be ten of them, too few for anything to be put back behind what came later.
  const sequences = fc.commands<Model, Real, boolean>(commands, { maxCommands: 80, size: 'max' })
  await fc.assert(fc.asyncProperty(sequences, async steps => {
    const real: Real = { ...setup({ ...NO_LIMITS, ...LIMITS }), outside: [] }
    await fc.asyncModelRun(() => ({ model: { entries: [], seq: 0 }, real }), steps)
    // At the end of time nothing is left behind, in no list and no gauge.
    real.clock.time += 10_000
    for (const tenant of ['t1', 't2', 't3']) for (const user of ['a', 'b', 'c', 'd']) real.takeAll(tenant, user)
    assert.equal(real.metric('mics_offline_messages'), 0)
    assert.equal(real.metric('mics_offline_bytes'), 0)
  }), { numRuns: 300 })
})
