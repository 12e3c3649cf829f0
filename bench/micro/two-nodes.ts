import { EventEmitter } from 'node:events'
import type { PeerService } from '../../lib/cluster/peers.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import type { Member, NodeDirectory } from '../../lib/node-directory/node-directory.js'

export const TOKEN = 'bench'

export const LIMITS = {
  timeoutMs: 5000, maxMessageBytes: 1024 * 1024, throttledLog: new ThrottledLog(10_000), log: console,
}

export function member (nodeId: string, endpoint: string): Member {
  return { key: `${nodeId}#1`, nodeId, incarnation: 1, endpoint, isDraining: false }
}

/** One that knows these two, without Redis. */
export function directory (self: Member, other: Member): NodeDirectory {
  return Object.assign(new EventEmitter(), { self, get: () => other }) as unknown as NodeDirectory
}

/** Encodes the frame, as a peer does for its devices, and has a device for everybody. */
export const service: PeerService = {
  deliver: (delivery, userIds) => ({ missing: [], moved: [], devices: delivery.frame.length > 0 ? userIds.length : 0 }),
  hold: async entries => entries.length,
  arrive: async () => {},
}
