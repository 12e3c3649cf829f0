/** Beats without a frame from the gateway at which the connection is dead: it has not answered two of them. */
const SILENT_BEATS = 2

/** Milliseconds for any frame, where something suggests that the connection is dead. */
const PROBE_MS = 5000

/** A beat that is so many milliseconds late tells of a machine that has slept. */
const SLEPT_MS = 10_000

export interface HeartbeatOptions {
  intervalMs: number
  /** Like setInterval; returns what ends it. */
  every: (ms: number, listener: () => void) => () => void
  ping: () => void
  /** Are bytes of something large still leaving? Heartbeats wait behind it, and their answers. */
  isSending: () => boolean
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
    const { intervalMs, every, ping, isSending, onSilence } = this.#options
    let last = Date.now()
    this.#stop = every(intervalMs, () => {
      const passedMs = Date.now() - last
      last += passedMs
      if (isSending()) this.#silentBeats = 0
      if (passedMs > intervalMs + SLEPT_MS) {
        // Or somebody has set its clock, and then it does no harm.
        this.probe()
        return
      }
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

  /** Asks now, and takes no frame within 5 seconds for an answer. */
  probe (): void {
    if (this.#stop === undefined || this.#probe !== undefined) return
    this.#waitForFrame()
    this.#options.ping()
  }

  stop (): void {
    this.#stop?.()
    this.#stop = undefined
    clearTimeout(this.#probe)
    this.#probe = undefined
  }

  #waitForFrame (): void {
    const { isSending, onSilence } = this.#options
    isSending()
    this.#probe = setTimeout(() => {
      if (isSending()) this.#waitForFrame()
      else onSilence()
    }, PROBE_MS)
  }
}
