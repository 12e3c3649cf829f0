import type { Socket } from './transport.js'

/** Bytes of some heartbeats. That these have left says nothing: a network that is gone takes them, too. */
const FEW_BYTES = 1024

/** Tells a slow network from a dead one, by what it has still to send. */
export class Upload {
  readonly #socket: Socket
  #given = 0
  #waiting = 0
  #gone = 0

  constructor (socket: Socket) {
    this.#socket = socket
  }

  /** So many bytes were given to the socket. */
  add (bytes: number): void {
    this.#given += bytes
  }

  /** At the last look something large was on its way: has more of it left since then? */
  look (): boolean {
    const waiting = this.#socket.bufferedBytes?.() ?? 0
    const gone = this.#given - waiting
    const isMoving = this.#waiting > FEW_BYTES && gone > this.#gone
    this.#waiting = waiting
    this.#gone = gone
    return isMoving
  }
}
