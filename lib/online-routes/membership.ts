import type { NodeDirectory } from '../node-directory/node-directory.js'

/** Gone members remembered; beyond it the oldest is forgotten and looked for once more. */
const MAX_GONE = 1000

/**
 * Tells the members that are gone from those that have just joined: what the store says of a user may name a member
 * that this node has not heard of, for either reason.
 */
export class Membership {
  private readonly gone = new Set<string>()

  constructor (private readonly directory: NodeDirectory) {}

  /** Those that are neither live nor known to be gone. */
  unknownOf (memberKeys: readonly string[]): string[] {
    return memberKeys.filter(key => this.directory.get(key) === undefined && !this.gone.has(key))
  }

  /** Looks which of the unknown are live. Rejects when the store cannot be reached. */
  async resolve (unknown: readonly string[]): Promise<void> {
    await this.directory.refresh()
    for (const key of unknown) {
      // A member joins before it writes anything, and one that was gone never comes back.
      if (this.directory.get(key) === undefined) this.gone.add(key)
    }
    for (const key of this.gone) {
      if (this.gone.size <= MAX_GONE) break
      this.gone.delete(key)
    }
  }

  /** A process that was stopped for long first learns who is there. */
  async refreshIfStale (): Promise<void> {
    if (this.directory.isStale) await this.directory.refresh()
  }

  /**
   * Live members other than this one, each once. Looks for those that it does not know; rejects when it cannot.
   */
  async findPeersAmong (memberKeys: readonly string[]): Promise<readonly string[]> {
    const unknown = this.unknownOf(memberKeys)
    if (unknown.length > 0) await this.resolve(unknown)
    return this.peersAmong(memberKeys)
  }

  /** The same, of those that are known. */
  peersAmong (memberKeys: readonly string[]): readonly string[] {
    const { directory } = this
    return [...new Set(memberKeys)].filter(key => key !== directory.self.key && directory.get(key) !== undefined)
  }
}
