import { PeerLinks } from '../../lib/cluster/peer-links.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { ScriptProcess } from '../script-process.js'
import type { Block, Subject } from './measure.js'
import { directory, LIMITS, member, service, TOKEN } from './two-nodes.js'

const NOBODY: ReadonlySet<string> = new Set()
const BODY = Buffer.alloc(128, 'x')

/** Messages in one run, for each that is in flight at once. */
const EACH = 16

/**
 * What it costs a node to send a message to another over a real link, one recipient each, by how many are in flight;
 * beside handing them over in the same process. The other node is in a process of its own, pinned to the second core
 * where `taskset` is present.
 */
export async function forward (run: (blocks: Block[]) => Promise<void>): Promise<void> {
  const other = await ScriptProcess.start(1, 'bench/micro/forward-peer.ts')
  const peer = member('b', other.url)
  const links = new PeerLinks(directory(member('a', ''), peer), {
    ...LIMITS, token: TOKEN, queueMaxBytes: 64 * 1024 * 1024, breakerFailureThreshold: 5, breakerOpenMs: 5000,
  })
  const toPeer = async (): Promise<void> => {
    const { kind } = await links.deliver(peer.key, delivery(), ['user-200046'], NOBODY)
    if (kind !== 'answered') throw new Error('the peer did not answer')
  }
  try {
    await run([{
      title: 'to another node',
      op: 'a message, answered; CPU is the sender\'s',
      subjects: [
        inFlight('in the same process', 64, async () => { service.deliver(delivery(), ['user-200046'], NOBODY) }),
        ...[1, 8, 64, 512].map(count => inFlight(`over the link, ${count} in flight`, count, toPeer)),
      ],
    }])
  } finally {
    await links.close()
    other.close()
  }
}

function inFlight (name: string, count: number, send: () => Promise<void>): Subject {
  return {
    name,
    ops: count * EACH,
    run: async () => {
      await Promise.all(Array.from({ length: count }, async () => {
        for (let i = 0; i < EACH; i++) await send()
      }))
    },
  }
}

let seq = 0

function delivery (): Delivery {
  return new Delivery({
    tenantId: 'acme',
    userId: 'user-100023',
    deviceId: 'web-7f3a91',
    msgId: `0195d2c4-7a1e-7c3b-${++seq}`,
    msgType: 0,
    toUserId: 'user-200046',
    groupId: '',
    msgBody: BODY,
    timestampMs: 1_760_000_000_123n,
  }, seq)
}
