import { OfflineBuffer } from '../../lib/offline/offline-buffer.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { Delivery } from '../../lib/routing/delivery.js'
import type { Session } from '../../lib/session/session.js'
import type { Block, Subject } from './measure.js'
import { SocketlessNode, TENANT } from './socketless-node.js'

/** Messages kept, or handed over, in one run. */
const MESSAGES = 1000

/** Messages that wait for one user: the limit as it is by default is 128. */
const DEEP = 100

/** What a message for somebody who is away costs: to keep it, and to hand it over. */
export async function offlineBuffer (run: (blocks: Block[]) => Promise<void>): Promise<void> {
  const node = await SocketlessNode.start()
  try {
    const from = await node.connect('sender')
    await run([{
      title: 'to keep',
      op: 'a message',
      subjects: [
        keep(node, from, 'one for each user', 1),
        keep(node, from, `${DEEP} for each user`, DEEP),
        keepBeyondTheLimit(node, from, 'the oldest of 128 gives way to it'),
      ],
    }, {
      title: 'to hand over',
      op: 'a message',
      subjects: [
        takeOut(node, from, 'taken out, one for each user', 1),
        takeOut(node, from, `taken out, ${DEEP} for each user`, DEEP),
        await writeOut(node, from, `taken out, encoded and written, ${DEEP} for each device`),
      ],
    }])
  } finally {
    await node.close()
  }
}

let seq = 0

function entry (node: SocketlessNode, from: Session, userId: string): OfflineEntry {
  return {
    tenantId: TENANT,
    userId,
    deviceId: '',
    delivery: new Delivery(node.message(from, userId), ++seq),
    expiresAt: Date.now() + 600_000,
    anyDeviceInstead: false,
  }
}

/** So many entries for each user, as many as make MESSAGES. */
function entries (node: SocketlessNode, from: Session, each: number): OfflineEntry[] {
  return Array.from({ length: MESSAGES }, (_, i) => entry(node, from, `away-${Math.floor(i / each)}`))
}

function emptyBuffer (node: SocketlessNode, maxMessagesPerUser = MESSAGES): OfflineBuffer {
  const plenty = 1024 ** 3
  const limits = {
    maxMessagesPerUser,
    maxBytesPerUser: plenty,
    maxUsersPerTenant: MESSAGES,
    maxBytesPerTenant: plenty,
    maxBytes: plenty,
  }
  return new OfflineBuffer(limits, node.app.gatewayMetrics)
}

function keep (node: SocketlessNode, from: Session, name: string, each: number): Subject {
  let buffer = emptyBuffer(node)
  let list: OfflineEntry[] = []
  return {
    name,
    ops: MESSAGES,
    prepare: () => {
      buffer = emptyBuffer(node)
      list = entries(node, from, each)
    },
    run: () => { for (const item of list) keepIn(buffer, item) },
  }
}

function keepBeyondTheLimit (node: SocketlessNode, from: Session, name: string): Subject {
  const buffer = emptyBuffer(node, 128)
  for (let i = 0; i < 128; i++) keepIn(buffer, entry(node, from, 'away-0'))
  let list: OfflineEntry[] = []
  return {
    name,
    ops: MESSAGES,
    prepare: () => { list = entries(node, from, MESSAGES) },
    run: () => { for (const item of list) keepIn(buffer, item) },
  }
}

function takeOut (node: SocketlessNode, from: Session, name: string, each: number): Subject {
  let buffer = emptyBuffer(node)
  return {
    name,
    ops: MESSAGES,
    prepare: () => {
      buffer = emptyBuffer(node)
      for (const item of entries(node, from, each)) keepIn(buffer, item)
    },
    run: () => {
      for (const { userId } of buffer.users()) {
        for (;;) {
          const next = buffer.peek(TENANT, userId, 'phone', () => false)
          if (next === undefined) break
          buffer.remove(next)
        }
      }
      if (buffer.size > 0) throw new Error('a message stayed in the buffer')
    },
  }
}

async function writeOut (node: SocketlessNode, from: Session, name: string): Promise<Subject> {
  const { offlineBuffer: buffer } = node.app
  const sessions = await Promise.all(Array.from({ length: MESSAGES / DEEP }, (_, i) => node.connect(`away-${i}`)))
  return {
    name,
    ops: MESSAGES,
    prepare: async () => {
      for (const item of entries(node, from, DEEP)) keepIn(buffer, item)
      await node.turn()
    },
    run: async () => {
      for (const session of sessions) session.wake()
      await node.turn()
      if (buffer.size > 0) throw new Error('a message stayed in the buffer')
    },
  }
}

/** @throws {Error} where the buffer does not take it */
function keepIn (buffer: OfflineBuffer, item: OfflineEntry): void {
  if (!buffer.add(item)) throw new Error('the buffer took no more')
}
