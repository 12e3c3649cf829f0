/** Characters of a key that is kept as it is. Ids may be as long as a frame, and thousands of them are kept. */
const LONGEST_KEY = 256
/** Characters that a longer key begins with and keeps. */
const KEPT = 192

/** The latest keys seen, `capacity` at least and twice as many at most. */
export class SeenKeys {
  #current = new Set<string>()
  #former = new Set<string>()
  readonly #capacity: number

  constructor (capacity: number) {
    this.#capacity = capacity
  }

  /** Is it new? From now on it is not. */
  add (key: string): boolean {
    const kept = shortened(key)
    if (this.#current.has(kept) || this.#former.has(kept)) return false
    if (this.#current.size >= this.#capacity) {
      this.#former = this.#current
      this.#current = new Set()
    }
    this.#current.add(kept)
    return true
  }

  /** It is new again. */
  forget (key: string): void {
    const kept = shortened(key)
    this.#current.delete(kept)
    this.#former.delete(kept)
  }

  /** What is held in memory. */
  get characters (): number {
    let sum = 0
    for (const keys of [this.#current, this.#former]) keys.forEach(({ length }) => { sum += length })
    return sum
  }
}

/**
 * A long key's beginning, a hash of 64 bits and its length. The chance that any two of 20,000 such keys meet is about 1
 * in 10^11. On purpose they can be made to meet, since the hash is not a cryptographic one, which not every platform
 * has. But a key begins with its sender, for whom the gateway vouches: who makes two such ids has the second of their
 * own messages dropped, and nobody else's.
 */
function shortened (key: string): string {
  return key.length <= LONGEST_KEY ? key : `${key.slice(0, KEPT)}#${hash(key)}#${key.length}`
}

/** Two rows of multiplications, each with a shift so that its low bits depend on all bits of the text. */
function hash (text: string): string {
  let left = 0xdeadbeef
  let right = 0x41c6ce57
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    left = Math.imul(left ^ unit, 0x9e3779b1)
    left ^= left >>> 15
    right = Math.imul(right ^ unit, 0x5f356495)
    right ^= right >>> 13
  }
  return `${left >>> 0}.${right >>> 0}`
}
