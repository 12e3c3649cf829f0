import type { ItemResult } from './item-result.js'
import { SEEN_POSITIONS, SEEN_RESULTS } from './node-rpc-limits.js'

/** Where results go: the stream on which an item was asked for last. */
export interface Answers {
  push (results: ItemResult[]): void
}

/**
 * What a peer has asked for and what it was answered: an item that comes again, on another stream, is answered again
 * and not done again. The oldest answers are forgotten beyond a bound that exceeds what a peer has unanswered.
 */
export class SeenItems {
  private readonly results = new Map<number, ItemResult>()
  private positions = 0
  private readonly inProgress = new Map<number, Answers>()

  constructor (private readonly maxResults = SEEN_RESULTS, private readonly maxPositions = SEEN_POSITIONS) {}

  /** Items begun and not answered. */
  get unfinished (): number {
    return this.inProgress.size
  }

  /** The answer, if the item had one; `in_progress`: it will go to `answers`; undefined: the item is new. */
  find (id: number, answers: Answers): ItemResult | 'in_progress' | undefined {
    const result = this.results.get(id)
    if (result !== undefined) return result
    if (!this.inProgress.has(id)) return undefined
    this.inProgress.set(id, answers)
    return 'in_progress'
  }

  begin (id: number, answers: Answers): void {
    this.inProgress.set(id, answers)
  }

  /** Answers an item that was begun. */
  finish (result: ItemResult): void {
    const { id } = result
    const answers = this.inProgress.get(id)
    this.inProgress.delete(id)
    this.remember(id, result)
    answers?.push([result])
  }

  remember (id: number, result: ItemResult): void {
    this.results.set(id, result)
    this.positions += positionsIn(result)
    if (this.results.size > this.maxResults) this.forgetOldest(Math.ceil(this.maxResults / 16))
    while (this.positions > this.maxPositions && this.results.size > 1) this.forgetOldest(1)
  }

  /** Many at once where it can be: finding the first key of a Map that lost its first keys is slow. */
  private forgetOldest (count: number): void {
    for (const [id, result] of this.results) {
      if (count-- === 0) break
      this.results.delete(id)
      this.positions -= positionsIn(result)
    }
  }
}

function positionsIn ({ missing, moved }: ItemResult): number {
  return missing.length + moved.length
}
