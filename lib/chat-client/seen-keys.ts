import { createHash } from 'node:crypto'

/** Characters of a key that is kept as it is. Ids may be as long as a frame, and thousands of them are kept. */
const LONGEST_KEY = 256

/** The latest keys seen, `capacity` at least and twice as many at most. */
export class SeenKeys {
  #current = new Set<string>()
  #former = new Set<string>()

  constructor (private readonly capacity: number) {}

  /** Is it new? From now on it is not. */
  add (key: string): boolean {
    const kept = shortened(key)
    if (this.#current.has(kept) || this.#former.has(kept)) return false
    if (this.#current.size >= this.capacity) [this.#former, this.#current] = [this.#current, new Set()]
    this.#current.add(kept)
    return true
  }

  /** What is held in memory. */
  get characters (): number {
    return [...this.#current, ...this.#former].reduce((sum, { length }) => sum + length, 0)
  }
}

function shortened (key: string): string {
  return key.length <= LONGEST_KEY ? key : createHash('sha256').update(key).digest('base64')
}
