const WIDTH = 30

/** A bar that grows on one line of a terminal. Nothing is printed where the stream is none. */
export class ProgressBar {
  private isShown = false

  constructor (
    private readonly stream: { readonly isTTY?: boolean, write: (text: string) => unknown },
    private readonly total: number
  ) {}

  update (done: number): void {
    if (this.stream.isTTY !== true) return
    const part = this.total === 0 ? 1 : Math.min(1, done / this.total)
    const filled = Math.floor(part * WIDTH)
    const bar = '#'.repeat(filled).padEnd(WIDTH, '.')
    this.stream.write(`\r[${bar}] ${Math.floor(part * 100)}%  ${done} of ${this.total}`)
    this.isShown = true
  }

  /** Ends the line, so that what is printed next stands below. */
  end (): void {
    if (this.isShown) this.stream.write('\n')
    this.isShown = false
  }
}
