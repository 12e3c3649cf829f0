import type { Duplex } from 'node:stream'
import type { BulkFlushable, FlushQueue } from './flush-queue.js'

/** Bytes given to the socket at a time. What it has not taken stays here, where it can still be saved for later. */
const BATCH_BYTES = 64 * 1024

/** Below this, copying frames into one buffer is cheaper than writing several. */
const CONCAT_BYTES = 32 * 1024

/** Whose frames they are. One object, not a closure each: there is one for every idle connection, too. */
export interface OutboundOwner<Cargo> {
  readonly tenantId: string
  /** Whether the socket may be given more. */
  readonly isOpen: boolean
  /** The frame of this was taken by the kernel. */
  onWritten (cargo: Cargo): void
  /** There is more room than before. */
  onRoom (): void
}

interface Queued<Cargo> {
  readonly frame: Buffer
  readonly cargo: Cargo | undefined
  next: Queued<Cargo> | undefined
}

/**
 * The bounded queue of frames between the gateway and one socket. Frames are complete WebSocket frames; each may come
 * with cargo, whatever must be saved if the frame is never written. A frame counts as written when the kernel took it.
 */
export class Outbound<Cargo> implements BulkFlushable {
  isInBulk = false
  // A list of links: an idle connection has no arrays.
  private head: Queued<Cargo> | undefined
  private tail: Queued<Cargo> | undefined
  private queuedBytes = 0
  private scheduled = false
  private closed = false
  /** What the socket was given and has not confirmed. One batch at a time. */
  private inFlight: Queued<Cargo> | undefined
  private inFlightBytes = 0
  /** Write callbacks still to come for batches that were already seen to be written. */
  private staleCallbacks = 0

  constructor (
    private readonly socket: Duplex,
    private readonly maxBytes: number,
    private readonly flushQueue: FlushQueue,
    private readonly owner: OutboundOwner<Cargo>
  ) {}

  get bytes (): number {
    return this.queuedBytes + this.inFlightBytes
  }

  /** Whether a frame of this size would still fit. An empty queue takes any frame. */
  hasRoom (frameBytes: number): boolean {
    return this.bytes === 0 || this.bytes + frameBytes <= this.maxBytes
  }

  /**
   * Queues a frame to be written at the end of this turn of the event loop. False: the reader is too slow, the limit
   * is passed; the frame was queued all the same, so that `close` returns its cargo with the rest.
   * @param isBulk of a large fan-out: written when it is its turn, a few milliseconds later
   */
  send (frame: Buffer, cargo?: Cargo, isBulk = false): boolean {
    // A burst within one turn is no slow reader: let the socket take what it can before judging.
    if (!this.hasRoom(frame.length)) this.flush()
    const fits = this.hasRoom(frame.length)
    const queued = { frame, cargo, next: undefined }
    if (this.tail === undefined) this.head = queued
    else this.tail.next = queued
    this.tail = queued
    this.queuedBytes += frame.length
    if (!this.scheduled) {
      if (isBulk) {
        this.flushQueue.addBulk(this.owner.tenantId, this)
      } else {
        this.scheduled = true
        this.flushQueue.add(this)
      }
    }
    return fits
  }

  /** Writes until the queue is empty or the socket stops taking. */
  flush (): void {
    this.scheduled = false
    while (this.head !== undefined && !this.closed && this.settled() && this.owner.isOpen) this.writeBatch(this.head)
    this.settled()
  }

  /**
   * Writes what the socket still takes, then no more. Returns the cargo of the frames that were not given to the
   * socket; `unconfirmed` has the rest.
   */
  close (): Cargo[] {
    this.flush()
    this.closed = true
    const unsent = cargoOf(this.head)
    this.head = undefined
    this.tail = undefined
    this.queuedBytes = 0
    return unsent
  }

  /**
   * The cargo of what the socket was given and has not confirmed; not waited for any longer. For when the socket has
   * ended, or its end is not worth waiting for.
   */
  unconfirmed (): Cargo[] {
    if (this.settled()) return []
    const batch = this.inFlight
    this.inFlight = undefined
    this.inFlightBytes = 0
    return cargoOf(batch)
  }

  /** Whether the socket has nothing left to take. A synchronous write is noticed here, before its callback. */
  private settled (): boolean {
    if (this.inFlight === undefined) return true
    if (this.socket.destroyed || this.socket.writableLength > 0) return false
    this.staleCallbacks++
    this.confirm(this.inFlight)
    return true
  }

  private confirm (batch: Queued<Cargo>): void {
    this.inFlight = undefined
    this.inFlightBytes = 0
    for (let queued: Queued<Cargo> | undefined = batch; queued !== undefined; queued = queued.next) {
      if (queued.cargo !== undefined) this.owner.onWritten(queued.cargo)
    }
    this.owner.onRoom()
  }

  private writeBatch (first: Queued<Cargo>): void {
    let last = first
    let bytes = first.frame.length
    while (last.next !== undefined && bytes + last.next.frame.length <= BATCH_BYTES) {
      last = last.next
      bytes += last.frame.length
    }
    this.head = last.next
    if (this.head === undefined) this.tail = undefined
    last.next = undefined
    this.inFlight = first
    this.inFlightBytes = bytes
    this.queuedBytes -= bytes
    if (first === last || bytes <= CONCAT_BYTES) {
      this.socket.write(first === last ? first.frame : joined(first, bytes), this.onTaken)
      return
    }
    this.socket.cork()
    for (let queued = first; queued !== last; queued = queued.next as Queued<Cargo>) this.socket.write(queued.frame)
    this.socket.write(last.frame, this.onTaken)
    this.socket.uncork()
  }

  private readonly onTaken = (error?: Error | null): void => {
    if (this.staleCallbacks > 0) {
      this.staleCallbacks--
      return
    }
    // A failed write: the socket is closing, and `unconfirmed` will be asked for.
    if (error || this.inFlight === undefined) return
    this.confirm(this.inFlight)
    this.flush()
  }
}

function joined (first: Queued<unknown>, bytes: number): Buffer {
  const out = Buffer.allocUnsafe(bytes)
  let pos = 0
  for (let queued: Queued<unknown> | undefined = first; queued !== undefined; queued = queued.next) {
    out.set(queued.frame, pos)
    pos += queued.frame.length
  }
  return out
}

function cargoOf<Cargo> (first: Queued<Cargo> | undefined): Cargo[] {
  const cargo: Cargo[] = []
  for (let queued = first; queued !== undefined; queued = queued.next) {
    if (queued.cargo !== undefined) cargo.push(queued.cargo)
  }
  return cargo
}
