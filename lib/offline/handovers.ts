import type { Peers } from '../cluster/peers.js'
import { noteRecipient } from '../message-trace/note.js'
import type { OfflineBuffer } from './offline-buffer.js'
import type { OfflineEntry } from './offline-entry.js'
import { keyOf } from './user-key.js'

/** Messages and bytes of msg_body that are on their way to a peer at once, for one user. */
const CHUNK_MESSAGES = 64
const CHUNK_BYTES = 256 * 1024

/**
 * Moves a user's offline messages to another member, in order and in chunks: a chunk leaves the buffer when it is sent
 * and comes back when the peer has not taken it, so that a message is never in two places that both deliver.
 */
export class Handovers {
  private readonly running = new Map<string, Promise<boolean>>()
  /** Messages on their way, by user. */
  private readonly moving = new Map<string, number>()
  /** Messages that peers have taken. */
  moved = 0
  /** Called for each message that leaves, before it does: the peer may have to send it back before it has answered. */
  onLeaving: (entry: OfflineEntry) => void = () => {}
  /** Called for each that stays after all. */
  onStaying: (entry: OfflineEntry) => void = () => {}

  constructor (private readonly buffer: OfflineBuffer, private readonly peers: Pick<Peers, 'hold'>) {}

  /**
   * Moves all that is here for the user, or what is for one device alone. One move at a time for a user: a second joins
   * the first, wherever it goes. False: something stayed here, because the peer could not be reached or had no room.
   * Never rejects.
   */
  move (tenantId: string, userId: string, memberKey: string, deviceId?: string): Promise<boolean> {
    const key = keyOf(tenantId, userId)
    let running = this.running.get(key)
    if (running === undefined) {
      running = this.moveAll(tenantId, userId, memberKey, deviceId, key).finally(() => this.running.delete(key))
      this.running.set(key, running)
    }
    return running
  }

  /** Messages of the user that have left the buffer and may come back. */
  movingOf (tenantId: string, userId: string): number {
    return this.moving.get(keyOf(tenantId, userId)) ?? 0
  }

  /** Users whose messages are on their way. */
  get active (): number {
    return this.running.size
  }

  isMoving (tenantId: string, userId: string): boolean {
    return this.running.has(keyOf(tenantId, userId))
  }

  /** Resolves when no move of the user is under way. */
  async settled (tenantId: string, userId: string): Promise<void> {
    await this.running.get(keyOf(tenantId, userId))
  }

  private async moveAll (
    tenantId: string, userId: string, memberKey: string, deviceId: string | undefined, key: string
  ): Promise<boolean> {
    for (;;) {
      const chunk = this.take(tenantId, userId, deviceId)
      if (chunk.length === 0) return true
      this.moving.set(key, chunk.length)
      const taken = await this.peers.hold(memberKey, chunk, true) ?? 0
      this.moving.delete(key)
      this.moved += taken
      for (const { delivery } of chunk.slice(0, taken)) noteRecipient(delivery.message, 'moved', 'taken', userId, memberKey)
      for (const entry of chunk.slice(taken)) {
        this.onStaying(entry)
        this.buffer.add(entry)
      }
      for (const { delivery } of chunk) delivery.forgetFrame()
      if (taken < chunk.length) return false
      // The buffer has not changed, and yet the user has fewer messages here.
      this.buffer.onChange(tenantId, userId)
    }
  }

  private take (tenantId: string, userId: string, deviceId: string | undefined): OfflineEntry[] {
    const chunk: OfflineEntry[] = []
    let bytes = 0
    for (const entry of this.buffer.entriesOf(tenantId, userId)) {
      if (deviceId !== undefined && entry.deviceId !== deviceId) continue
      bytes += entry.delivery.message.msgBody.length
      if (chunk.length === CHUNK_MESSAGES || (chunk.length > 0 && bytes > CHUNK_BYTES)) break
      chunk.push(entry)
    }
    for (const entry of chunk) {
      this.buffer.remove(entry)
      this.onLeaving(entry)
    }
    return chunk
  }
}
