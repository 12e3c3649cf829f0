import { setTimeout as delay } from 'node:timers/promises'
import type { Connections } from '../connections/connections.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Handovers } from './handovers.js'
import { homeOf } from './home.js'
import type { OfflineBuffer } from './offline-buffer.js'

/** Users whose messages move at once. */
const CONCURRENCY = 32

/** Milliseconds until what stayed is tried again, and until what comes late is looked for. */
const AGAIN_MS = 50

/**
 * Moves all that is held here to the users' homes among the other members, and what the last sockets give back.
 * Resolves when nothing is left, when there is no other member, or when `deadline` aborts.
 */
export async function handOverAll (
  { buffer, handovers, directory, connections }: {
    buffer: OfflineBuffer
    handovers: Handovers
    directory: Pick<NodeDirectory, 'members' | 'self'>
    connections: Pick<Connections, 'ending'>
  },
  deadline: AbortSignal
): Promise<void> {
  const others = (): ReturnType<NodeDirectory['members']> =>
    directory.members().filter(({ key }) => key !== directory.self.key)
  // What is on its way may come back, and so may what the last sockets were given.
  const isLeft = (): boolean => buffer.size > 0 || handovers.active > 0 || connections.ending > 0
  while (isLeft() && others().length > 0 && !deadline.aborted) {
    const users = buffer.users()
    const work = async (): Promise<void> => {
      for (let user = users.pop(); user !== undefined && !deadline.aborted; user = users.pop()) {
        const { tenantId, userId } = user
        // It may be on its way to somewhere else.
        await handovers.settled(tenantId, userId)
        const home = homeOf(others(), tenantId, userId)
        if (home !== undefined) await handovers.move(tenantId, userId, home.key)
      }
    }
    await Promise.all(Array.from({ length: CONCURRENCY }, work))
    if (isLeft()) await delay(AGAIN_MS)
  }
}
