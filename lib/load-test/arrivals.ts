/** How far behind the latest message of a stream the earlier ones are remembered one by one. */
const WINDOW = 32

/** What one recipient has received of several streams: the latest of each, and which of the 32 before it. */
export class Arrivals {
  readonly #latest: Int32Array
  readonly #before: Uint32Array

  constructor (streams: number) {
    this.#latest = new Int32Array(streams).fill(-1)
    this.#before = new Uint32Array(streams)
  }

  /** `too-late`: too long ago to say whether it came before. */
  take (stream: number, sequence: number): 'in-order' | 'late' | 'repeat' | 'too-late' {
    const ahead = sequence - this.#latest[stream]
    if (ahead > 0) {
      this.#before[stream] = ahead >= WINDOW ? 1 : this.#before[stream] << ahead | 1
      this.#latest[stream] = sequence
      return 'in-order'
    }
    if (-ahead >= WINDOW) return 'too-late'
    const bit = 1 << -ahead
    if ((this.#before[stream] & bit) !== 0) return 'repeat'
    this.#before[stream] |= bit
    return 'late'
  }
}
