import type { EventEmitter } from 'node:events'

/** A node of the cluster, from one join to the end of its lease: a node that comes back is another member. */
export interface Member {
  /** `nodeId#incarnation`: what routes and holders name. One that was gone never comes back. */
  readonly key: string
  readonly nodeId: string
  /** Unix milliseconds of the join, or a little more; ascending for one node id. */
  readonly incarnation: number
  /** URL under which its peers reach its node RPC. */
  readonly endpoint: string
  /** It still serves the connections it has, and takes over nothing more. */
  readonly isDraining: boolean
}

export interface NodeDirectoryEvents {
  /** Another member is there. */
  joined: [member: Member]
  /** Another member's lease ended, or it left. */
  left: [member: Member]
  /**
   * What others know of this node may be gone: it has joined again under a new incarnation, or the store was emptied.
   * Whoever has registered something registers it again.
   */
  reset: []
  /**
   * A member is gone, and this node was chosen to remove what it has left behind. At most one node is; where `buried`
   * does not follow within a minute, one is chosen anew.
   */
  abandoned: [memberKey: string]
  /** Another process is a member under this node's id, for longer than a former self could be. Once for each. */
  namesake: [member: Member]
  /** The lease was not renewed. It is tried again. */
  renewalFailed: [error: unknown]
}

/**
 * Which nodes there are. Each holds a lease that it renews; one whose lease has run out is no member. Both homes keep
 * these sentences:
 * - A member is seen by every other within a renewal interval of its join, and is gone at the latest a lease after its
 *   last renewal. One that leaves is gone at once for whoever refreshes.
 * - A node that lost its lease joins again under a new incarnation, and says `reset`.
 * - While the store cannot be reached the members last known stay members; time in which nobody could renew ends no
 *   lease.
 * - What a gone member has left behind is removed by one of the others.
 */
export interface NodeDirectory extends EventEmitter<NodeDirectoryEvents> {
  /** This node as it is known to the others; changes when it joins again. */
  readonly self: Member
  /**
   * All live members, this one included while it has joined, in the order of their keys. The same array until
   * something changes, and the same object for a member that is the same.
   */
  members (): readonly Member[]
  get (key: string): Member | undefined
  /** Joins, and renews the lease from here on. Rejects when the store cannot be reached. */
  join (): Promise<void>
  /**
   * Renews the lease and reads the members; neither begins before the call, and calls at one time share one. Only reads
   * before `join` and after `leave`. Rejects when the store is gone.
   */
  refresh (): Promise<void>
  /**
   * Whether the lease may have run out unnoticed: the process was stopped for longer than it. Then `refresh` before
   * anything is decided from what was known. False while the store does not answer.
   */
  readonly isStale: boolean
  /** Tells the others that this node takes over nothing more. */
  drain (): Promise<void>
  /** Leaves at once; to join again takes another NodeDirectory. */
  leave (): Promise<void>
  /** What `abandoned` named is removed; nobody needs to do it again. */
  buried (memberKey: string): Promise<void>
  /** Stops renewing. Leaves the lease to run out. */
  close (): void
}
