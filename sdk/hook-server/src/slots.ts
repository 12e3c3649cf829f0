/** Lets a number of tasks run at once; the others wait. Who has the fewest at work goes first, whoever came first. */
export class Slots {
  private readonly waiting = new Map<string, Array<() => void>>()
  private readonly running = new Map<string, number>()
  private free: number

  constructor (count: number) {
    this.free = count
  }

  /** @param owner among whom the slots are shared fairly */
  async run<T> (owner: string, task: () => Promise<T>): Promise<T> {
    await this.acquire(owner)
    try {
      return await task()
    } finally {
      this.release(owner)
    }
  }

  /** Gives the slot of a running task to others for as long as it only waits. */
  async lend<T> (owner: string, wait: () => Promise<T>): Promise<T> {
    this.release(owner)
    try {
      return await wait()
    } finally {
      await this.acquire(owner)
    }
  }

  private async acquire (owner: string): Promise<void> {
    if (this.free > 0) {
      this.free--
      this.begin(owner)
      return
    }
    await new Promise<void>(resolve => {
      const line = this.waiting.get(owner)
      if (line === undefined) this.waiting.set(owner, [resolve])
      else line.push(resolve)
    })
  }

  private release (owner: string): void {
    const count = this.runningOf(owner) - 1
    if (count === 0) this.running.delete(owner)
    else this.running.set(owner, count)
    // Whoever ends hands its slot on.
    const [next, ...others] = this.waiting.keys()
    if (next === undefined) {
      this.free++
      return
    }
    const fewest = others.reduce((least, other) => this.runningOf(other) < this.runningOf(least) ? other : least, next)
    const line = this.waiting.get(fewest) as Array<() => void>
    const resolve = line.shift() as () => void
    // Behind the others: of those with equally few, each has its turn.
    this.waiting.delete(fewest)
    if (line.length > 0) this.waiting.set(fewest, line)
    this.begin(fewest)
    resolve()
  }

  private begin (owner: string): void {
    this.running.set(owner, this.runningOf(owner) + 1)
  }

  private runningOf (owner: string): number {
    return this.running.get(owner) ?? 0
  }
}
