import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Handovers } from './handovers.js'
import { homeOf } from './home.js'
import type { OfflineBuffer } from './offline-buffer.js'

/** Users whose messages move at once. */
const CONCURRENCY = 32

/**
 * Moves all that is held here to the users' homes among the other members. What could not move stays. Resolves when it
 * is done, or when `deadline` aborts.
 */
export async function handOverAll (
  buffer: OfflineBuffer, handovers: Handovers, directory: Pick<NodeDirectory, 'members' | 'self'>, deadline: AbortSignal
): Promise<void> {
  const users = buffer.users()
  const expired = new Promise<void>(resolve => deadline.addEventListener('abort', () => resolve(), { once: true }))
  const work = async (): Promise<void> => {
    for (let user = users.pop(); user !== undefined && !deadline.aborted; user = users.pop()) {
      const { tenantId, userId } = user
      const others = directory.members().filter(({ key }) => key !== directory.self.key)
      const home = homeOf(others, tenantId, userId)
      if (home === undefined) return
      // What was on its way to somewhere else may have come back.
      await handovers.settled(tenantId, userId)
      await handovers.move(tenantId, userId, home.key)
    }
  }
  await Promise.race([Promise.all(Array.from({ length: CONCURRENCY }, work)), expired])
}
