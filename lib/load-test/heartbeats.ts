import { flushConnections, type LoadConnection } from './load-connection.js'

const LEAST_TICK_MS = 100
/** As many at most in the time between two heartbeats of a connection. */
const MAX_TURNS = 600

/** Sends each connection's heartbeats, spread over the time between two. */
export class LoadHeartbeats {
  readonly #turns: Set<LoadConnection>[]
  readonly #turnOf = new Map<LoadConnection, Set<LoadConnection>>()
  #turn = 0
  readonly #tickMs: number
  readonly #startedAt = performance.now()
  #ticks = 0
  readonly #timer: NodeJS.Timeout

  constructor (intervalMs: number, private readonly onPing: (connection: LoadConnection, nowMs: number) => void) {
    this.#tickMs = Math.max(LEAST_TICK_MS, intervalMs / MAX_TURNS)
    this.#turns = Array.from({ length: Math.max(1, Math.round(intervalMs / this.#tickMs)) }, () => new Set())
    this.#timer = setInterval(() => this.#tick(), this.#tickMs)
  }

  /** The first comes after one interval: connecting was a sign of life. */
  add (connection: LoadConnection): void {
    this.#turns[this.#turn].add(connection)
    this.#turnOf.set(connection, this.#turns[this.#turn])
  }

  delete (connection: LoadConnection): void {
    this.#turnOf.get(connection)?.delete(connection)
    this.#turnOf.delete(connection)
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** Intervals of a busy thread come late, and then several turns are due. */
  #tick (): void {
    const now = performance.now()
    const due = Math.min(Math.floor((now - this.#startedAt) / this.#tickMs), this.#ticks + this.#turns.length)
    for (; this.#ticks < due; this.#ticks++) {
      this.#turn = (this.#turn + 1) % this.#turns.length
      for (const connection of this.#turns[this.#turn]) this.onPing(connection, now)
    }
    flushConnections()
  }
}
