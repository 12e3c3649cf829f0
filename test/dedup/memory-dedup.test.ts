import t from 'tap'
import { DEDUP_WINDOW_MS, type Reservation, type Reserved } from '../../lib/dedup/dedup.js'
import { MemoryDedup } from '../../lib/dedup/memory-dedup.js'
import type { Message } from '../../lib/protocol/message.js'
import { aMessage } from '../helpers/message.js'
import { dedupContract } from './contract.js'

class Clock {
  time = 1_000_000
  readonly now = (): number => this.time
}

function setup (limits = { maxEntries: 1000, maxEntriesPerTenant: 1000 }): { dedup: MemoryDedup, clock: Clock } {
  const clock = new Clock()
  return { dedup: new MemoryDedup(limits, clock.now), clock }
}

function reserve (dedup: MemoryDedup, fields: Partial<Message> = {}): Reserved {
  const reservation = dedup.reserve(aMessage(fields))
  if (reservation.kind !== 'first') throw new Error(`expected to be first, is ${reservation.kind}`)
  return reservation.reserved
}

/** Sends a message through: reserved, then remembered. */
function send (dedup: MemoryDedup, fields: Partial<Message> = {}): void {
  dedup.commit(reserve(dedup, fields))
}

function kind (dedup: MemoryDedup, fields: Partial<Message> = {}): Reservation['kind'] {
  return dedup.reserve(aMessage(fields)).kind
}

t.test('contract', async t => await dedupContract(t, async () => {
  const { dedup } = setup()
  return [dedup, dedup]
}))

t.test('a message that was sent is a duplicate when it comes again', t => {
  const { dedup } = setup()
  send(dedup)
  t.equal(kind(dedup), 'duplicate')
  t.equal(kind(dedup), 'duplicate', 'however often')
  t.equal(dedup.entries, 1)
  t.end()
})

for (const [what, other] of Object.entries({
  tenant: { tenantId: 't2' },
  sender: { userId: 'carol' },
  device: { deviceId: 'd2' },
  id: { msgId: 'm2' },
})) {
  t.test(`the same message of another ${what} is no duplicate`, t => {
    const { dedup } = setup()
    send(dedup)
    t.equal(kind(dedup, other), 'first')
    t.equal(kind(dedup), 'duplicate')
    t.end()
  })
}

t.test('a message is remembered for ten minutes from when it was sent, not from when it was reserved', t => {
  const { dedup, clock } = setup()
  t.equal(DEDUP_WINDOW_MS, 600_000)
  const reserved = reserve(dedup)
  clock.time += 5000
  dedup.commit(reserved)
  clock.time += DEDUP_WINDOW_MS - 1
  t.equal(kind(dedup), 'duplicate')
  clock.time += 1
  t.equal(kind(dedup), 'first')
  t.end()
})

t.test('a duplicate does not make the window longer', t => {
  const { dedup, clock } = setup()
  send(dedup)
  clock.time += DEDUP_WINDOW_MS - 1
  t.equal(kind(dedup), 'duplicate')
  clock.time += 1
  t.equal(kind(dedup), 'first')
  t.end()
})

t.test('an id sent again after its window is remembered once, for ten more minutes', t => {
  const { dedup, clock } = setup()
  send(dedup)
  clock.time += DEDUP_WINDOW_MS
  send(dedup)
  t.equal(dedup.entries, 1)
  clock.time += DEDUP_WINDOW_MS - 1
  dedup.sweep()
  t.equal(kind(dedup), 'duplicate')
  t.end()
})

t.test('a message that failed leaves no trace', t => {
  const { dedup } = setup()
  dedup.release(reserve(dedup), 'delivery failed')
  t.equal(dedup.entries, 0)
  t.equal(kind(dedup), 'first')
  dedup.release(reserve(dedup, { msgId: 'm2' }), 'delivery failed')
  t.equal(kind(dedup, { msgId: 'm2', toUserId: 'carol' }), 'first', 'not even of its content')
  t.end()
})

t.test('a repeat in flight waits for the outcome of the first', async t => {
  await t.test('sent', async t => {
    const { dedup } = setup()
    const reserved = reserve(dedup)
    const repeats = [dedup.reserve(aMessage()), dedup.reserve(aMessage())]
    let settled = 0
    const outcomes = repeats.map(repeat => {
      if (repeat.kind !== 'in_flight') throw new Error(repeat.kind)
      return repeat.outcome.finally(() => settled++)
    })
    await Promise.resolve()
    t.equal(settled, 0)
    dedup.commit(reserved)
    t.same(await Promise.all(outcomes), [{ sent: true, reason: '' }, { sent: true, reason: '' }])
    t.equal(kind(dedup), 'duplicate')
  })
  await t.test('failed', async t => {
    const { dedup } = setup()
    const reserved = reserve(dedup)
    const repeat = dedup.reserve(aMessage())
    if (repeat.kind !== 'in_flight') throw new Error(repeat.kind)
    dedup.release(reserved, 'spam')
    t.same(await repeat.outcome, { sent: false, reason: 'spam' })
    t.equal(kind(dedup), 'first')
  })
})

t.test('what is in flight is never forgotten, however long it takes', t => {
  const { dedup, clock } = setup()
  reserve(dedup)
  clock.time += 2 * DEDUP_WINDOW_MS
  dedup.sweep()
  t.equal(kind(dedup), 'in_flight')
  t.end()
})

for (const [what, other] of Object.entries<Partial<Message>>({
  body: { msgBody: Buffer.from('hullo') },
  'body length': { msgBody: Buffer.alloc(0) },
  recipient: { toUserId: 'carol' },
  group: { groupId: 'g' },
  type: { msgType: 1 },
})) {
  t.test(`the same id with another ${what} is a conflict, in flight and after`, t => {
    const { dedup } = setup()
    const reserved = reserve(dedup)
    t.equal(kind(dedup, other), 'conflict')
    dedup.commit(reserved)
    t.equal(kind(dedup, other), 'conflict')
    t.equal(kind(dedup), 'duplicate', 'and the first stays what it was')
    t.end()
  })
}

t.test('ids do not run into each other: recipient and group are told apart', t => {
  const { dedup } = setup()
  send(dedup, { msgType: 1, toUserId: 'ab', groupId: 'c' })
  t.equal(kind(dedup, { msgType: 1, toUserId: 'a', groupId: 'bc' }), 'conflict')
  t.end()
})

t.test('the timestamp does not matter: a client may set it anew when it sends again', t => {
  const { dedup } = setup()
  const reserved = reserve(dedup, { timestampMs: 1n })
  t.equal(kind(dedup, { timestampMs: 2n }), 'in_flight')
  dedup.commit(reserved)
  t.equal(kind(dedup, { timestampMs: 3n }), 'duplicate')
  t.end()
})

t.test('very long ids are told apart by all of their characters', t => {
  const { dedup } = setup()
  const long = 'x'.repeat(100_000)
  send(dedup, { msgId: `${long}1` })
  t.equal(kind(dedup, { msgId: `${long}1` }), 'duplicate')
  t.equal(kind(dedup, { msgId: `${long}2` }), 'first')
  t.equal(kind(dedup, { deviceId: 'd2', msgId: `${long}1` }), 'first')
  // Around the length at which an id is remembered by its hash.
  for (let length = 230; length < 270; length++) send(dedup, { msgId: 'y'.repeat(length) })
  for (let length = 230; length < 270; length++) t.equal(kind(dedup, { msgId: 'y'.repeat(length) }), 'duplicate')
  t.end()
})

t.test('a tenant at its bound forgets its oldest first, and no other tenant forgets anything', t => {
  const { dedup } = setup({ maxEntries: 1000, maxEntriesPerTenant: 32 })
  send(dedup, { tenantId: 't2', msgId: 'other' })
  for (let i = 0; i <= 32; i++) send(dedup, { msgId: `m${i}` })
  t.ok(dedup.entries <= 33)
  t.equal(kind(dedup, { msgId: 'm0' }), 'first', 'the oldest is forgotten')
  for (let i = 8; i <= 32; i++) t.equal(kind(dedup, { msgId: `m${i}` }), 'duplicate', `m${i} is remembered`)
  t.equal(kind(dedup, { tenantId: 't2', msgId: 'other' }), 'duplicate')
  t.equal(dedup.forgottenEarly, 34 - dedup.entries)
  t.end()
})

t.test('the bounds hold however much is sent', t => {
  const { dedup } = setup({ maxEntries: 100, maxEntriesPerTenant: 64 })
  for (let i = 0; i < 2000; i++) {
    send(dedup, { tenantId: `t${i % 7}`, msgId: `m${i}` })
    if (dedup.entries > 100) t.fail(`${dedup.entries} entries after ${i}`)
  }
  t.equal(dedup.entries + dedup.forgottenEarly, 2000)
  t.end()
})

t.test('at the bound of the node the tenant that holds the most forgets', t => {
  const { dedup } = setup({ maxEntries: 100, maxEntriesPerTenant: 1000 })
  for (let i = 0; i < 90; i++) send(dedup, { tenantId: 'big', msgId: `m${i}` })
  for (let i = 0; i < 20; i++) send(dedup, { tenantId: 'small', msgId: `m${i}` })
  t.ok(dedup.entries <= 100)
  for (let i = 0; i < 20; i++) t.equal(kind(dedup, { tenantId: 'small', msgId: `m${i}` }), 'duplicate')
  t.equal(kind(dedup, { tenantId: 'big', msgId: 'm0' }), 'first')
  t.equal(kind(dedup, { tenantId: 'big', msgId: 'm89' }), 'duplicate')
  t.end()
})

t.test('sweeping drops what has expired and nothing else', t => {
  const { dedup, clock } = setup()
  send(dedup, { msgId: 'old' })
  send(dedup, { tenantId: 't2', msgId: 'old' })
  clock.time += 1000
  send(dedup, { msgId: 'young' })
  clock.time += DEDUP_WINDOW_MS - 1000
  dedup.sweep()
  t.equal(dedup.entries, 1)
  t.equal(kind(dedup, { msgId: 'young' }), 'duplicate')
  t.equal(dedup.forgottenEarly, 0, 'expiring is not forgetting early')
  t.end()
})

t.test('forgetting a tenant leaves the others alone, and a message in flight may still end', async t => {
  const { dedup } = setup()
  send(dedup)
  send(dedup, { tenantId: 't2' })
  const reserved = reserve(dedup, { msgId: 'm2' })
  const repeat = dedup.reserve(aMessage({ msgId: 'm2' }))
  dedup.forget('t1')
  t.equal(dedup.entries, 1)
  t.equal(kind(dedup, { tenantId: 't2' }), 'duplicate')
  dedup.release(reserved, 'gone')
  if (repeat.kind !== 'in_flight') throw new Error(repeat.kind)
  t.equal((await repeat.outcome).sent, false)
  t.equal(kind(dedup), 'first')
})
