import type { Test } from 'tap'
import type { Dedup, FirstOutcome, Reservation, Reserved } from '../../lib/dedup/dedup.js'
import type { Message } from '../../lib/protocol/message.js'
import { AckReason } from '../../lib/protocol/server-errors.js'
import { aMessage } from '../helpers/message.js'

/** Makes the homes of two members, on a store that others may use; they are closed when the test ends. */
export type OpenDedup = (t: Test) => Promise<[Dedup, Dedup]>

let senders = 0

/** A message of a sender of its own. */
export function aFreshMessage (fields: Partial<Message> = {}): Message {
  return aMessage({ userId: `sender${++senders}`, ...fields })
}

/** What a message is when nothing is in flight any more: an end may take a moment to reach the other member. */
async function settled (dedup: Dedup, message: Message): Promise<Reservation> {
  for (;;) {
    const reservation = await dedup.reserve(message)
    if (reservation.kind !== 'in_flight') return reservation
    await reservation.outcome
  }
}

/** Reserves what must be first. */
export async function reserveFirst (dedup: Dedup, message: Message): Promise<Reserved> {
  const reservation = await settled(dedup, message)
  if (reservation.kind !== 'first') throw new Error(`expected to be first, is ${reservation.kind}`)
  return reservation.reserved
}

export async function kindOf (dedup: Dedup, message: Message): Promise<Reservation['kind']> {
  return (await settled(dedup, message)).kind
}

/** The outcome of a copy that is in flight. In an object, so that it is not waited for. */
export async function outcomeOf (dedup: Dedup, message: Message): Promise<{ outcome: Promise<FirstOutcome> }> {
  const reservation = await dedup.reserve(message)
  if (reservation.kind !== 'in_flight') throw new Error(`expected to be in flight, is ${reservation.kind}`)
  return { outcome: reservation.outcome }
}

/** What both homes of Dedup promise. */
export async function dedupContract (t: Test, open: OpenDedup): Promise<void> {
  await t.test('a message that was sent is a duplicate when it comes again, wherever', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    a.commit(await reserveFirst(a, message))
    for (const dedup of [a, b, b, a]) t.equal(await kindOf(dedup, message), 'duplicate')
    t.equal(await kindOf(b, { ...message, timestampMs: 77n }), 'duplicate', 'the client may set the time anew')
  })

  await t.test('the same id with other content is a conflict, in flight and after', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    const other = { ...message, msgBody: Buffer.from('other') }
    const reserved = await reserveFirst(a, message)
    for (const dedup of [a, b]) t.equal(await kindOf(dedup, other), 'conflict')
    a.commit(reserved)
    for (const dedup of [a, b]) t.equal(await kindOf(dedup, other), 'conflict')
    for (const dedup of [a, b]) t.equal(await kindOf(dedup, message), 'duplicate', 'and the first stays what it was')
  })

  await t.test('messages are told apart by tenant, sender, device and id', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    a.commit(await reserveFirst(a, message))
    const long = 'x'.repeat(10_000)
    for (const fields of [
      { tenantId: 't2' }, { userId: `${message.userId}x` }, { deviceId: 'd2' }, { msgId: 'm2' }, { msgId: `m1${long}` },
      { msgId: `m2${long}` }, { deviceId: `d1${long}` }, { deviceId: 'd1:m', msgId: '1' }, { deviceId: 'd1', msgId: 'm:1' },
    ]) {
      const other = { ...message, ...fields }
      b.commit(await reserveFirst(b, other))
      t.equal(await kindOf(a, other), 'duplicate')
    }
  })

  await t.test('a message that failed leaves no trace', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    a.release(await reserveFirst(a, message), AckReason.DELIVERY_FAILED)
    a.release(await reserveFirst(a, message), AckReason.DELIVERY_FAILED)
    const other = { ...message, toUserId: 'carol' }
    a.release(await reserveFirst(a, other), AckReason.DELIVERY_FAILED)
    b.commit(await reserveFirst(b, message))
    t.equal(await kindOf(a, message), 'duplicate')
  })

  await t.test('a copy learns that the first was sent', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    const reserved = await reserveFirst(a, message)
    const copies = [await outcomeOf(b, message), await outcomeOf(b, message), await outcomeOf(a, message)]
    let ended = 0
    for (const { outcome } of copies) outcome.then(() => ended++, t.threw)
    await new Promise(resolve => setImmediate(resolve))
    t.equal(ended, 0)
    a.commit(reserved)
    for (const { outcome } of copies) t.same(await outcome, { sent: true, reason: '' })
    for (const dedup of [a, b]) t.equal(await kindOf(dedup, message), 'duplicate')
  })

  await t.test('a copy learns why the first failed', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    const reserved = await reserveFirst(a, message)
    const copies = [await outcomeOf(b, message), await outcomeOf(a, message)]
    a.release(reserved, AckReason.MEMBERS_UNAVAILABLE)
    for (const { outcome } of copies) t.same(await outcome, { sent: false, reason: AckReason.MEMBERS_UNAVAILABLE })
    t.equal(await kindOf(b, message), 'first')
  })

  await t.test('of many copies at once one is first, and the others learn its outcome', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    const copies = await Promise.all(Array.from({ length: 20 }, (_, i) => {
      const dedup = i % 2 === 0 ? a : b
      return Promise.resolve(dedup.reserve(message)).then(reservation => ({ dedup, reservation }))
    }))
    const outcomes: Array<Promise<FirstOutcome>> = []
    let firsts = 0
    for (const { dedup, reservation } of copies) {
      if (reservation.kind === 'in_flight') outcomes.push(reservation.outcome)
      if (reservation.kind !== 'first') continue
      firsts++
      dedup.commit(reservation.reserved)
    }
    t.equal(firsts, 1)
    t.same(await Promise.all(outcomes), Array(19).fill({ sent: true, reason: '' }))
  })

  await t.test('a message in flight may end after its tenant was forgotten', async t => {
    const [a, b] = await open(t)
    const message = aFreshMessage()
    const reserved = await reserveFirst(a, message)
    for (const dedup of [a, b]) dedup.forget(message.tenantId)
    a.commit(reserved)
    t.equal(await kindOf(a, message), 'duplicate')
  })
}
