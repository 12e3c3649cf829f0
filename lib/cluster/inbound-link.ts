import type { HeldMessage, LinkRequest } from '../gen/mics/node/v1/node_pb.js'
import type { OfflineEntry } from '../offline/offline-entry.js'
import { decodeMessageRequest } from '../protocol/client-frame.js'
import { Delivery } from '../routing/delivery.js'
import { decodeItem, type Deliver, type Item } from './item-codec.js'
import { newResult, type ItemResult } from './item-result.js'
import { Lateness } from './lateness.js'
import { MAX_UNANSWERED, SLOW_FACTOR } from './node-rpc-limits.js'
import { Outbox } from './outbox.js'
import type { PeerService } from './peers.js'
import type { SeenItems } from './seen-items.js'

const NOBODY: ReadonlySet<string> = new Set()

/** Items in progress for one peer. More it may not have unanswered, and what it gave up may go on here for a while. */
const MAX_UNFINISHED = 4 * MAX_UNANSWERED

/** Part of a call's time after which it is not begun any more: its caller may give it up before the answer is there. */
const LATEST_BEGIN = 0.5

export interface InboundLinkDeps {
  service: PeerService
  seen: SeenItems
  /** Milliseconds after which a peer gives up a message; it gives up what takes its time later. */
  timeoutMs: number
  /** Whether this node is still the member that the stream was opened to; found out first where that is in doubt. */
  isAddressee: () => boolean | Promise<boolean>
  /** Unix milliseconds. */
  now: () => number
  /** An item that cannot be understood, or that could not be done. It is answered as if it had reached nobody. */
  onFault: (kind: Item['kind'], error: unknown) => void
  /** An item that had come before. */
  onRepeated: () => void
  /** An item that was not begun, because its caller has given it up or was about to. */
  onLate: () => void
}

/** One stream from a peer: does what its items say, each once, and answers. */
export class InboundLink {
  readonly outbox = new Outbox()
  /** Items of this stream that take their time. */
  private unfinished = 0
  private readonly lateness: Lateness
  private readonly onFinished: Array<() => void> = []

  constructor (private readonly deps: InboundLinkDeps) {
    this.lateness = new Lateness()
  }

  /** Reads until the peer has no more to say, or nobody listens any more. Never rejects. */
  async read (requests: AsyncIterable<LinkRequest>): Promise<void> {
    const { outbox } = this
    try {
      for await (const { items, sentAtMs } of requests) {
        if (outbox.isEnded) return
        const asked = this.deps.isAddressee()
        const isAddressee = typeof asked === 'boolean' ? asked : await asked
        const lateMs = this.lateness.of(Number(sentAtMs))
        const results: ItemResult[] = []
        for (const bytes of items) {
          const result = this.process(bytes, isAddressee ? lateMs : Infinity)
          if (result !== undefined) results.push(result)
        }
        outbox.push(results)
        await outbox.room()
      }
      await this.finish()
    } catch (error) {
      outbox.end(error as Error)
    }
  }

  /** Ends the stream when what is in progress has been answered. */
  async finish (): Promise<void> {
    if (this.unfinished > 0) await new Promise<void>(resolve => this.onFinished.push(resolve))
    this.outbox.end()
  }

  /** The answer, where it is known at once. */
  private process (bytes: Uint8Array, lateMs: number): ItemResult | undefined {
    const { seen, onFault, onRepeated } = this.deps
    const item = decodeItem(bytes)
    if (item === undefined) {
      onFault('malformed', new Error('an item without an id'))
      return undefined
    }
    const known = seen.find(item.id, this.outbox)
    if (known !== undefined) {
      onRepeated()
      return known === 'in_progress' ? undefined : known
    }
    const isSlow = item.kind === 'hold' || item.kind === 'arrive'
    const result = newResult(item.id)
    if (lateMs > this.deps.timeoutMs * (isSlow ? SLOW_FACTOR : 1) * LATEST_BEGIN) {
      result.failed = true
      this.deps.onLate()
      seen.remember(item.id, result)
      return result
    }
    if (isSlow) {
      this.finishAfter(this.runSlow(item, result), item, result)
      return undefined
    }
    try {
      if (item.kind === 'malformed') throw new Error('an item of no kind that is known here')
      const settled = this.deliver(item.deliver, result)
      if (settled !== undefined) {
        this.finishAfter(settled, item, result)
        return undefined
      }
    } catch (error) {
      result.failed = true
      onFault(item.kind, error)
    }
    seen.remember(item.id, result)
    return result
  }

  private deliver (deliver: Deliver, result: ItemResult): Promise<unknown> | undefined {
    const { message: bytes, userIds, shared, seq, traceparent } = deliver
    const message = decodeMessageRequest(bytes)
    if (message === null) throw new Error('not a message')
    const sharedIds = shared.length === 0 ? NOBODY : new Set(shared.map(position => userIds[position]))
    const { service } = this.deps
    const { missing, moved, devices, settled } =
      service.deliver(new Delivery(message, seq, userIds.length), userIds, sharedIds, traceparent)
    result.missing = positionsOf(missing, userIds)
    result.moved = positionsOf(moved, userIds)
    result.count = devices
    return settled
  }

  /** Answers when it is done. */
  private finishAfter (done: Promise<unknown>, item: Item, result: ItemResult): void {
    const { seen, onFault } = this.deps
    seen.begin(item.id, this.outbox)
    this.unfinished++
    done.catch(error => {
      result.failed = true
      onFault(item.kind, error)
    }).finally(() => {
      seen.finish(result)
      if (--this.unfinished === 0) for (const resolve of this.onFinished.splice(0)) resolve()
    })
  }

  private async runSlow (item: Item & { kind: 'hold' | 'arrive' }, result: ItemResult): Promise<void> {
    const { service, now, seen } = this.deps
    if (seen.unfinished > MAX_UNFINISHED) throw new Error('more at once than a peer may ask for')
    if (item.kind === 'hold') {
      const taken = await service.hold(offlineEntries(item.messages, now()), item.isHandover)
      if (taken === undefined) result.failed = true
      else result.count = taken
    } else {
      const { tenantId, userId, deviceId, order, memberKey } = item.arrival
      await service.arrive(memberKey, { tenantId, userId, deviceId, order: Number(order) })
    }
  }
}

function positionsOf (some: readonly string[], userIds: readonly string[]): number[] {
  if (some.length === 0) return []
  const positions = new Map(userIds.map((userId, position) => [userId, position]))
  return some.map(userId => positions.get(userId)).filter(position => position !== undefined)
}

function offlineEntries (messages: readonly HeldMessage[], now: number): OfflineEntry[] {
  let delivery: Delivery | undefined
  return messages.map(({ message: bytes, userId, deviceId, anyDeviceInstead, exceptDeviceId, ttlMs, seq }) => {
    if (bytes.length > 0 || delivery === undefined) {
      const message = decodeMessageRequest(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      if (message === null) throw new Error('not a message')
      delivery = new Delivery(message, Number(seq))
    }
    return {
      tenantId: delivery.message.tenantId,
      userId,
      deviceId,
      delivery,
      expiresAt: now + Number(ttlMs),
      anyDeviceInstead,
      exceptDeviceId: exceptDeviceId === '' ? undefined : exceptDeviceId,
    }
  })
}
