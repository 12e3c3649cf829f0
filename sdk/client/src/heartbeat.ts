/** Beats without a frame from the gateway at which the connection is dead: it has not answered two of them. */
const SILENT_BEATS = 2

export interface HeartbeatOptions {
  intervalMs: number
  /** Like setInterval; returns what ends it. */
  every: (ms: number, listener: () => void) => () => void
  ping: () => void
  /** Nothing has come from the gateway for three intervals, or since a probe. */
  onSilence: () => void
}

/** Tells the gateway that this client is there, and finds out whether the gateway is. */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  // Beats and not time: a machine that has slept for an hour has not missed an answer yet.
  #silentBeats = 0
  #stop?: () => void
  #probe?: ReturnType<typeof setTimeout>

  constructor (options: HeartbeatOptions) {
    this.#options = options
  }

  start (): void {
    const { intervalMs, every, ping, onSilence } = this.#options
    this.#stop = every(intervalMs, () => {
      if (this.#silentBeats >= SILENT_BEATS) {
        onSilence()
        return
      }
      this.#silentBeats++
      ping()
    })
  }

  /** A frame has come. */
  heard (): void {
    this.#silentBeats = 0
    clearTimeout(this.#probe)
    this.#probe = undefined
  }

  /** Asks now, and takes no frame within `ms` for an answer. */
  probe (ms: number): void {
    if (this.#stop === undefined || this.#probe !== undefined) return
    this.#probe = setTimeout(this.#options.onSilence, ms)
    this.#options.ping()
  }

  stop (): void {
    this.#stop?.()
    this.#stop = undefined
    clearTimeout(this.#probe)
    this.#probe = undefined
  }
}
