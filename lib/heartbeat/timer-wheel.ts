/** Something a wheel can hold; the wheel alone writes its slot. */
export interface OnWheel {
  slot: number
}

/**
 * One timer for any number of deadlines, to the precision of a tick. An item whose deadline moved is not moved with
 * it: it comes up at the old one, and whoever hears of it puts it back. That makes a heartbeat a single assignment.
 */
export class TimerWheel<T extends OnWheel> {
  private readonly slots: Array<Set<T>>
  private current = 0
  private readonly timer: NodeJS.Timeout

  /**
   * @param tickMs milliseconds between ticks: how late an item may come up
   * @param slotCount ticks of a full turn; a longer delay comes up after a full turn, early
   * @param onDue called for each item that comes up; it is off the wheel then
   */
  constructor (private readonly tickMs: number, slotCount: number, private readonly onDue: (item: T) => void) {
    this.slots = Array.from({ length: slotCount }, () => new Set())
    this.timer = setInterval(() => this.tick(), tickMs).unref()
  }

  /** Puts an item that is not on the wheel to come up in `delayMs`, or up to one tick later. */
  add (item: T, delayMs: number): void {
    const ticks = Math.min(Math.max(Math.ceil(delayMs / this.tickMs) + 1, 1), this.slots.length - 1)
    item.slot = (this.current + ticks) % this.slots.length
    this.slots[item.slot].add(item)
  }

  remove (item: T): void {
    if (item.slot === -1) return
    this.slots[item.slot].delete(item)
    item.slot = -1
  }

  close (): void {
    clearInterval(this.timer)
    for (const slot of this.slots) slot.clear()
  }

  private tick (): void {
    this.current = (this.current + 1) % this.slots.length
    const due = this.slots[this.current]
    // Nothing is added to this slot meanwhile: a delay is never a whole turn. But one item may take another off.
    for (const item of due) {
      this.remove(item)
      this.onDue(item)
    }
  }
}
