/** The latest keys seen, `capacity` at least and twice as many at most. */
export class SeenKeys {
  #current = new Set<string>()
  #former = new Set<string>()

  constructor (private readonly capacity: number) {}

  /** Is it new? From now on it is not. */
  add (key: string): boolean {
    if (this.#current.has(key) || this.#former.has(key)) return false
    if (this.#current.size >= this.capacity) [this.#former, this.#current] = [this.#current, new Set()]
    this.#current.add(key)
    return true
  }
}
