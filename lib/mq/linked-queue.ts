/** What can stand in a LinkedQueue, in one at a time. */
export interface Linked<T> {
  next?: T
}

/** First in, first out, linked through the items themselves. All it does takes constant time, and no memory. */
export class LinkedQueue<T extends Linked<T>> {
  first?: T = undefined
  private last?: T = undefined

  push (item: T): void {
    if (this.last === undefined) this.first = item
    else this.last.next = item
    this.last = item
  }

  /** Puts an item before all others. */
  unshift (item: T): void {
    item.next = this.first
    this.first = item
    this.last ??= item
  }

  shift (): T | undefined {
    const item = this.first
    if (item === undefined) return undefined
    this.first = item.next
    item.next = undefined
    if (this.first === undefined) this.last = undefined
    return item
  }
}
