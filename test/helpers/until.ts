import { setTimeout as delay } from 'node:timers/promises'

/**
 * Resolves when `condition` holds, looked at every few milliseconds: for what has no event to wait for, such as a
 * metric. Where it never does, the test ends with its own timeout, and `what` is in the way.
 */
export async function until (what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!await condition()) {
    if (Date.now() > deadline) throw new Error(`waited too long until ${what}`)
    await delay(5)
  }
}

/** For startGateway: a machine that is busy with other tests must not make hooks fail. */
export const PATIENT = { hookTimeoutMs: 10_000 }
