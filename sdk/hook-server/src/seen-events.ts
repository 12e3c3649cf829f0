/** Remembers which events were handled, so that one that comes again is not. */
export interface SeenEvents {
  has (identity: string): boolean | Promise<boolean>
  /** Called when the handler is done with it. */
  add (identity: string): void | Promise<void>
}

/** In the memory of this process, bounded: the oldest are forgotten. */
export class SeenEventMemory implements SeenEvents {
  private readonly identities = new Set<string>()

  constructor (private readonly max: number) {}

  get size (): number {
    return this.identities.size
  }

  has (identity: string): boolean {
    return this.identities.has(identity)
  }

  add (identity: string): void {
    this.identities.add(identity)
    const [oldest] = this.identities
    if (this.identities.size > this.max && oldest !== undefined) this.identities.delete(oldest)
  }
}
