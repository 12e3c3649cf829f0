import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds } from '../process-usage.js'

const LOOK_MS = 200

/** Share of a core that an idle server may take: timers, and heartbeats of a few clients. */
const IDLE = 0.1

const PATIENCE_MS = 30_000

/** Resolves when the process has nothing to do any more, so that the next run does not pay for the last. */
export async function quiet (pid: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (let before = cpuSeconds(pid); performance.now() < deadline;) {
    await delay(LOOK_MS)
    const now = cpuSeconds(pid)
    if (now - before < IDLE * LOOK_MS / 1000) return
    before = now
  }
}
