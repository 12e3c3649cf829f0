/** Random numbers that a seed repeats (Mulberry32, by Tommy Ettinger). */
export class Random {
  constructor (private state: number) {}

  /** From 0 to below 1. */
  next (): number {
    this.state = this.state + 0x6d2b79f5 | 0
    let mixed = Math.imul(this.state ^ this.state >>> 15, 1 | this.state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) / 4294967296
  }

  between (low: number, high: number): number {
    return low + this.next() * (high - low)
  }

  pick<T> (list: readonly T[]): T {
    return list[Math.floor(this.next() * list.length)]
  }
}
