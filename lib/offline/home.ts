import { crc32 } from 'node:zlib'
import type { Member } from '../node-directory/node-directory.js'

const nodeHashes = new WeakMap<Member, number>()

/**
 * The member whose buffer keeps a user's offline messages: the same for every node that knows the same members, and
 * when a member comes or goes only the users of that one move (rendezvous hashing: Thaler and Ravishankar, 1998).
 * A draining member is nobody's home, unless there is no other.
 */
export function homeOf (members: readonly Member[], tenantId: string, userId: string): Member | undefined {
  const user = crc32(userId, crc32(`${tenantId}\0`))
  let home: Member | undefined
  let highest = -1
  for (const member of members) {
    if (member.isDraining) continue
    const score = mix(user ^ hashOf(member))
    if (score > highest) {
      highest = score
      home = member
    }
  }
  return home ?? members[0]
}

function hashOf (member: Member): number {
  let hash = nodeHashes.get(member)
  // By the node's id, not its incarnation: a node that restarts is the home of the same users.
  if (hash === undefined) nodeHashes.set(member, hash = mix(crc32(member.nodeId)))
  return hash
}

/** MurmurHash3's finalizer: without it the order of members would be nearly the same for all users. */
function mix (hash: number): number {
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}
