import type { Member, NodeDirectory } from '../../lib/node-directory/node-directory.js'

/** A node directory without leases: members are there until the test takes them away. They see who shares their map. */
export class FixedDirectory implements Pick<NodeDirectory, 'self' | 'members' | 'get' | 'refresh'> {
  self: Member
  /** Calls of `refresh`. */
  refreshes = 0
  /** Whether `refresh` rejects. */
  isGone = false

  constructor (private readonly shared: Map<string, Member>, nodeId: string) {
    this.self = member(nodeId, 1)
    shared.set(this.self.key, this.self)
  }

  members (): readonly Member[] {
    return [...this.shared.values()]
  }

  get (key: string): Member | undefined {
    return this.shared.get(key)
  }

  async refresh (): Promise<void> {
    this.refreshes++
    if (this.isGone) throw new Error('the store is gone')
  }

  /** The node dies. */
  die (): void {
    this.shared.delete(this.self.key)
  }

  /** The node comes back as another member. */
  rejoin (): void {
    this.die()
    this.self = member(this.self.nodeId, this.self.incarnation + 1)
    this.shared.set(this.self.key, this.self)
  }
}

/** Members that see each other. */
export function fixedDirectories (count: number): FixedDirectory[] {
  const shared = new Map<string, Member>()
  return Array.from({ length: count }, (_, i) => new FixedDirectory(shared, `node${i + 1}`))
}

function member (nodeId: string, incarnation: number): Member {
  return { key: `${nodeId}#${incarnation}`, nodeId, incarnation, endpoint: `http://${nodeId}:8081`, isDraining: false }
}
