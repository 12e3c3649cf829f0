/** What a client is given to send and has to receive, and how much of that is done. */
export class ClientProgress {
  /** Resolves when all that is awaited has come. */
  readonly allReceived: Promise<void>
  #unsent = 0
  #end!: () => void

  /** @param missing how many messages are awaited */
  constructor (public missing: number) {
    this.allReceived = new Promise(resolve => { this.#end = resolve })
    if (missing === 0) this.#end()
  }

  given (count = 1): void {
    this.#unsent += count
  }

  /** One that FAILED never is. */
  sent (): void {
    this.#unsent--
  }

  received (): void {
    if (this.missing > 0 && --this.missing === 0) this.#end()
  }

  get isComplete (): boolean {
    return this.#unsent === 0 && this.missing === 0
  }
}
