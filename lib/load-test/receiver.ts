import { Arrivals } from './arrivals.js'
import type { LoadConnection } from './load-connection.js'
import { microsecondsSince, STAMP_BYTES, stampRun, stampSequence, stampStream } from './stamp.js'
import type { Audience, Traffic } from './traffic.js'

/** One of an audience: looks at what a user receives, over one connection after another. */
export class LoadReceiver {
  readonly #arrivals: Arrivals

  /** @param own the stream that this user sends itself, which is not for its own device */
  constructor (
    private readonly traffic: Traffic,
    private readonly audience: Audience,
    streams: number,
    private readonly own?: number
  ) {
    this.#arrivals = new Arrivals(streams)
  }

  onDelivery (connection: LoadConnection, bytes: Buffer, at: number, length: number): void {
    const { tally: { deliveries }, runStamp } = this.traffic
    const run = length < STAMP_BYTES ? undefined : stampRun(bytes, at)
    if (run === undefined || (run & 0xffffff) !== (runStamp & 0xffffff)) {
      deliveries.foreign++
      return
    }
    const index = stampStream(bytes, at)
    const place = run === runStamp ? this.traffic.streamAt(index) : undefined
    if (place === undefined || place.audience !== this.audience || index === this.own) {
      deliveries.misdelivered++
      return
    }
    const { stream, slot } = place
    const sequence = stampSequence(bytes, at)
    if (sequence >= stream.sent) {
      // Nobody has sent it.
      deliveries.misdelivered++
      return
    }
    const arrival = this.#arrivals.take(slot, sequence)
    if (arrival === 'repeat' || (arrival === 'too-late' && stream.hasArrived(sequence))) {
      deliveries.duplicated++
      return
    }
    if (arrival !== 'in-order') deliveries.reordered++
    const now = performance.now()
    const sinceSent = microsecondsSince(bytes, at, now)
    // One that waited for its recipient is as late as the recipient.
    const sinceConnect = Math.round((now - connection.startedAt) * 1000)
    if (sinceSent > sinceConnect && connection.connectedAt > 0) this.traffic.record('catchUp', sinceConnect)
    else this.traffic.record('delivery', sinceSent)
    stream.arrive(sequence)
  }
}
