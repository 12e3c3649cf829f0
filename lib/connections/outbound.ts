import type { Duplex } from 'node:stream'
import type { FlushQueue } from './flush-queue.js'

/** Bytes given to the socket at a time. What it has not taken stays here, where it can still be saved for later. */
const BATCH_BYTES = 64 * 1024

/** Below this, copying frames into one buffer is cheaper than writing several. */
const CONCAT_BYTES = 32 * 1024

interface Batch<Cargo> {
  cargo: Array<Cargo | undefined>
  bytes: number
}

/**
 * The bounded queue of frames between the gateway and one socket. Frames are complete WebSocket frames; each may come
 * with cargo, whatever must be saved if the frame is never written. A frame counts as written when the kernel took it.
 */
export class Outbound<Cargo> {
  private frames: Buffer[] = []
  private cargo: Array<Cargo | undefined> = []
  private queuedBytes = 0
  private scheduled = false
  private closed = false
  /** What the socket was given and has not confirmed. One batch at a time. */
  private inFlight?: Batch<Cargo>
  /** Write callbacks still to come for batches that were already seen to be written. */
  private staleCallbacks = 0

  constructor (
    private readonly socket: Duplex,
    private readonly maxBytes: number,
    private readonly flushQueue: FlushQueue,
    private readonly events: {
      /** The frames of these were taken by the kernel. */
      written: (cargo: Array<Cargo | undefined>) => void
      /** Whether the socket may be given more. */
      isOpen: () => boolean
    }
  ) {}

  get bytes (): number {
    return this.queuedBytes + (this.inFlight?.bytes ?? 0)
  }

  /** Whether a frame of this size would still fit. An empty queue takes any frame. */
  hasRoom (frameBytes: number): boolean {
    return this.bytes === 0 || this.bytes + frameBytes <= this.maxBytes
  }

  /**
   * Queues a frame to be written at the end of this turn of the event loop. False: the reader is too slow, the limit
   * is passed; the frame was queued all the same, so that `close` returns its cargo with the rest.
   */
  send (frame: Buffer, cargo?: Cargo): boolean {
    // A burst within one turn is no slow reader: let the socket take what it can before judging.
    if (!this.hasRoom(frame.length)) this.flush()
    const fits = this.hasRoom(frame.length)
    this.frames.push(frame)
    this.cargo.push(cargo)
    this.queuedBytes += frame.length
    if (!this.scheduled) {
      this.scheduled = true
      this.flushQueue.add(this)
    }
    return fits
  }

  /** Writes until the queue is empty or the socket stops taking. */
  flush (): void {
    this.scheduled = false
    while (!this.closed && this.frames.length > 0 && this.settled() && this.events.isOpen()) this.writeBatch()
    this.settled()
  }

  /**
   * Writes what the socket still takes, then no more. Returns the cargo of the frames that were not given to the
   * socket; `unconfirmed` has the rest.
   */
  close (): Array<Cargo | undefined> {
    this.flush()
    this.closed = true
    const unsent = this.cargo
    this.frames = []
    this.cargo = []
    this.queuedBytes = 0
    return unsent
  }

  /**
   * The cargo of what the socket was given and has not confirmed; not waited for any longer. For when the socket has
   * ended, or its end is not worth waiting for.
   */
  unconfirmed (): Array<Cargo | undefined> {
    const batch = this.settled() ? undefined : this.inFlight
    this.inFlight = undefined
    return batch?.cargo ?? []
  }

  /** Whether the socket has nothing left to take. A synchronous write is noticed here, before its callback. */
  private settled (): boolean {
    const batch = this.inFlight
    if (batch === undefined) return true
    if (this.socket.destroyed || this.socket.writableLength > 0) return false
    this.inFlight = undefined
    this.staleCallbacks++
    this.events.written(batch.cargo)
    return true
  }

  private writeBatch (): void {
    let count = 0
    let bytes = 0
    while (count < this.frames.length && (count === 0 || bytes + this.frames[count].length <= BATCH_BYTES)) {
      bytes += this.frames[count++].length
    }
    const frames = this.frames.splice(0, count)
    this.inFlight = { cargo: this.cargo.splice(0, count), bytes }
    this.queuedBytes -= bytes
    if (count === 1 || bytes <= CONCAT_BYTES) {
      this.socket.write(count === 1 ? frames[0] : Buffer.concat(frames, bytes), this.onWritten)
      return
    }
    this.socket.cork()
    for (let i = 0; i < count - 1; i++) this.socket.write(frames[i])
    this.socket.write(frames[count - 1], this.onWritten)
    this.socket.uncork()
  }

  private readonly onWritten = (error?: Error | null): void => {
    if (this.staleCallbacks > 0) {
      this.staleCallbacks--
      return
    }
    // A failed write: the socket is closing, and `unconfirmed` will be asked for.
    if (error || this.inFlight === undefined) return
    const { cargo } = this.inFlight
    this.inFlight = undefined
    this.events.written(cargo)
    this.flush()
  }
}
