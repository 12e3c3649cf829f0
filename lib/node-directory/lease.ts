import type { Member } from './node-directory.js'

/** What a node tells the store about itself when it renews its lease. */
export interface Renewal {
  readonly nodeId: string
  /** Under which it holds a lease; 0: it has none yet. */
  readonly incarnation: number
  /** The lowest under which it may join, should it hold no lease. The same when a join is tried again. */
  readonly nextIncarnation: number
  /** Names this process, of which there may be several with one node id by mistake. */
  readonly processId: string
  readonly endpoint: string
  readonly isDraining: boolean
  readonly leaseMs: number
  /** Milliseconds that one node has for the remains of a member. */
  readonly claimMs: number
  /** Whether this node has time to remove what a gone member left behind. */
  readonly mayClaim: boolean
}

/** A gone member whose remains this node removes. */
export interface Claim {
  readonly memberKey: string
  /** Store time when another node may take over. */
  readonly until: number
}

/** The store's answer. */
export interface LeaseView {
  /** Under which this node holds its lease now: another than before where it had none, or had lost it. */
  readonly incarnation: number
  /** All live members, in any order. */
  readonly members: readonly Member[]
  readonly claim?: Claim
}

export function memberKeyOf (nodeId: string, incarnation: number): string {
  return `${nodeId}#${incarnation}`
}

/** Undefined where it is no member key. */
export function parseMemberKey (key: string): { nodeId: string, incarnation: number } | undefined {
  const at = key.lastIndexOf('#')
  const incarnation = Number(key.slice(at + 1))
  return at > 0 && Number.isSafeInteger(incarnation) ? { nodeId: key.slice(0, at), incarnation } : undefined
}
