import type { MemoryStore } from '../cluster/memory-store.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { TenantPlaces } from './tenant-places.js'

/** How many connections each tenant has on the nodes that share one memory. */
export class MemoryTenantPlaces implements TenantPlaces {
  /** Places taken here. */
  private readonly held = new Map<string, number>()
  /** The member as which they were written. */
  private memberKey: string

  constructor (
    private readonly store: Pick<MemoryStore, 'connections'>,
    private readonly directory: Pick<NodeDirectory, 'self' | 'members'>
  ) {
    this.memberKey = directory.self.key
  }

  take (tenantId: string, limit: number): boolean {
    const held = this.held.get(tenantId) ?? 0
    if (limit > 0 && held + this.elsewhere(tenantId) >= limit) return false
    this.say(tenantId, held + 1)
    return true
  }

  release (tenantId: string): void {
    const held = this.held.get(tenantId)
    if (held !== undefined) this.say(tenantId, held - 1)
  }

  async assert (): Promise<void> {
    await this.bury(this.memberKey, this.held.keys())
    this.memberKey = this.directory.self.key
    for (const [tenantId, held] of this.held) this.write(tenantId, this.memberKey, held)
  }

  async bury (memberKey: string, tenantIds: Iterable<string>): Promise<void> {
    for (const tenantId of tenantIds) this.write(tenantId, memberKey, 0)
  }

  private elsewhere (tenantId: string): number {
    const counts = this.store.connections.get(tenantId)
    if (counts === undefined) return 0
    let sum = 0
    for (const { key } of this.directory.members()) {
      if (key !== this.memberKey) sum += counts.get(key) ?? 0
    }
    return sum
  }

  private say (tenantId: string, held: number): void {
    // A node becomes a member when it joins, and what it has under another name it moves with `assert`.
    if (this.held.size === 0) this.memberKey = this.directory.self.key
    if (held > 0) this.held.set(tenantId, held)
    else this.held.delete(tenantId)
    this.write(tenantId, this.memberKey, held)
  }

  private write (tenantId: string, memberKey: string, count: number): void {
    const { connections } = this.store
    let counts = connections.get(tenantId)
    if (count > 0) {
      if (counts === undefined) connections.set(tenantId, counts = new Map())
      counts.set(memberKey, count)
    } else if (counts?.delete(memberKey) === true && counts.size === 0) {
      connections.delete(tenantId)
    }
  }
}
