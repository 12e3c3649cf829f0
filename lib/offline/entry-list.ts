import type { OfflineEntry } from './offline-entry.js'

/** A doubly linked list of entries, oldest first: any entry leaves it, and the oldest is found, in constant time. */
export class EntryList {
  oldest?: OfflineEntry
  private newest?: OfflineEntry

  /** Puts an entry behind all that are older; entries mostly arrive in order, so the search is short. */
  insert (entry: OfflineEntry): void {
    let before = this.newest
    while (before !== undefined && before.delivery.seq > entry.delivery.seq) before = before.previous
    entry.previous = before
    entry.next = before === undefined ? this.oldest : before.next
    if (entry.next === undefined) this.newest = entry
    else entry.next.previous = entry
    if (before === undefined) this.oldest = entry
    else before.next = entry
  }

  remove (entry: OfflineEntry): void {
    if (entry.previous === undefined) this.oldest = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.newest = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = entry.next = undefined
  }
}
