import type { EventEmitter } from 'node:events'

/** A node of the cluster, from one join to the end of its lease: a node that comes back is another member. */
export interface Member {
  /** `nodeId#incarnation`: what routes and holders name. */
  readonly key: string
  readonly nodeId: string
  /** Unix milliseconds of the join; ascending for one node id. */
  readonly incarnation: number
  /** URL under which its peers reach its node RPC. */
  readonly endpoint: string
  /** It still serves the connections it has, and takes over nothing more. */
  readonly isDraining: boolean
}

export interface NodeDirectoryEvents {
  joined: [member: Member]
  /** Its lease ended, or it left. */
  left: [member: Member]
  /**
   * What others know of this node may be gone: it has joined again under a new incarnation, or the store was emptied.
   * Whoever has registered something registers it again.
   */
  reset: []
  /** An expired member whose remains this node was chosen to remove; at most one survivor is. */
  abandoned: [memberKey: string]
}

/**
 * Which nodes there are. Each holds a lease that it renews; one whose lease has run out is no member. Both homes keep
 * these sentences:
 * - A member is seen by every other within a renewal interval of its join, and is gone at the latest a lease after its
 *   last renewal. One that leaves is gone at once for whoever refreshes.
 * - A node that lost its lease joins again under a new incarnation, and says `reset`.
 * - While the store cannot be reached the members last known stay members.
 */
export interface NodeDirectory extends EventEmitter<NodeDirectoryEvents> {
  /** This node as it is known to the others; changes when it joins again. */
  readonly self: Member
  /** All live members, this one included while it has joined, in the order of their keys. */
  members (): readonly Member[]
  get (key: string): Member | undefined
  /** Joins, and renews the lease from here on. Rejects when the store cannot be reached. */
  join (): Promise<void>
  /** Renews the lease and reads the members now; calls at one time share one. Rejects when the store is gone. */
  refresh (): Promise<void>
  /**
   * Whether the lease may have run out unnoticed: the process was stopped for longer than it. Then `refresh` before
   * anything is decided from what was known.
   */
  readonly isStale: boolean
  /** Tells the others that this node takes over nothing more. */
  drain (): Promise<void>
  /** Leaves at once. */
  leave (): Promise<void>
  /** What `abandoned` named is removed; nobody needs to do it again. */
  buried (memberKey: string): Promise<void>
  /** Stops renewing. Leaves the lease to run out. */
  close (): void
}
