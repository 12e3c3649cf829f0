import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { CloseCode } from '../protocol/close-codes.js'
import type { Session } from '../session/session.js'

/** Fewer connections than this are closed at once: their reconnecting is no storm. */
const MIN_BATCH = 100
const MAX_BATCHES = 50

/**
 * Closes sessions with 4200 in batches spread over a window, so that the nodes they reconnect to are not stormed. Each
 * takes no more messages, finishes those it has, then closes. When `deadline` aborts, the rest close at once.
 */
export async function closeAll (sessions: Session[], windowMs: number, deadline: AbortSignal): Promise<void> {
  const batchSize = Math.max(MIN_BATCH, Math.ceil(sessions.length / MAX_BATCHES))
  const batches = Math.ceil(sessions.length / batchSize)
  const expired = new Promise<void>(resolve => {
    if (deadline.aborted) resolve()
    else deadline.addEventListener('abort', () => resolve(), { once: true })
  })
  for (let i = 0; i < batches; i++) {
    const batch = sessions.slice(i * batchSize, (i + 1) * batchSize)
    await Promise.race([Promise.all(batch.map(session => session.finish())), expired])
    for (const session of batch) session.close(CloseCode.DRAINING, 'this node is draining')
    if (i < batches - 1) await Promise.race([delay(windowMs / batches, undefined, { ref: false }), expired])
  }
}

/** Closes sessions a batch a turn of the event loop: a hundred thousand at once would hold up everybody else. */
export async function closeGradually (sessions: Session[], code: CloseCode, reason: string): Promise<void> {
  for (let i = 0; i < sessions.length; i += MIN_BATCH) {
    if (i > 0) await nextTurn()
    for (const session of sessions.slice(i, i + MIN_BATCH)) session.close(code, reason)
  }
}
