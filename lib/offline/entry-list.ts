import type { OfflineEntry } from './offline-entry.js'

/** A doubly linked list of entries in the order in which they came: all it does takes constant time. */
export class EntryList {
  oldest?: OfflineEntry
  private newest?: OfflineEntry

  append (entry: OfflineEntry): void {
    entry.previous = this.newest
    entry.next = undefined
    if (this.newest === undefined) this.oldest = entry
    else this.newest.next = entry
    this.newest = entry
  }

  remove (entry: OfflineEntry): void {
    if (entry.previous === undefined) this.oldest = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.newest = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = entry.next = undefined
  }
}
