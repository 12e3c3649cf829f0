import type { LoadSender } from './sender.js'
import { Pacer } from './pacer.js'
import type { Traffic } from './traffic.js'

/** What one thread does of a mode, or of a part of one. */
export interface Mode {
  /** Opens what is to be open before the load begins. Ends early when `signal` is aborted. */
  connect (signal: AbortSignal): Promise<void>
  /** Begins the load, and resolves when it has ended, after `signal` is aborted. */
  load (signal: AbortSignal): Promise<void>
}

/**
 * Opens so many connections at a rate, and resolves when the last one is open or refused.
 * @param open opens the one of a number, due at that time
 */
export async function ramp (
  rate: number, number: number, signal: AbortSignal, open: (n: number, dueMs: number) => Promise<unknown>
): Promise<void> {
  if (number === 0 || signal.aborted) return
  const opening: Promise<unknown>[] = []
  const pacer = new Pacer({
    rate,
    limit: number,
    onDue: dueMs => {
      opening.push(open(opening.length, dueMs))
      return true
    },
  })
  const stop = (): void => pacer.stop()
  signal.addEventListener('abort', stop, { once: true })
  await pacer.ended
  signal.removeEventListener('abort', stop)
  await Promise.all(opening)
}

/**
 * Sends from all of them, at the given rate in turn or with a window each, until `signal` is aborted or no quota is
 * left.
 * @param rate messages a second of all of them together, where there is no window
 */
export async function sendFrom (
  traffic: Traffic, senders: readonly LoadSender[], rate: number, signal: AbortSignal
): Promise<void> {
  if (senders.length === 0 || signal.aborted) return
  const { window, spin } = traffic.options
  if (window === undefined) await sendAtRate(traffic, senders, rate, spin, signal)
  else await sendWithWindow(senders, window, signal)
}

async function sendAtRate (
  traffic: Traffic, senders: readonly LoadSender[], rate: number, spin: boolean, signal: AbortSignal
): Promise<void> {
  const { messages } = traffic.tally
  let turn = 0
  const pacer = new Pacer({
    rate,
    spin,
    onDue: dueMs => {
      for (let tries = 0; tries < senders.length; tries++) {
        const sender = senders[turn++ % senders.length]
        if (sender.quota <= 0) continue
        messages.scheduled++
        traffic.record('lateness', (performance.now() - dueMs) * 1000)
        if (!sender.send(dueMs)) {
          messages.skipped++
          // It is not made up for: a round ends even where a connection is gone.
          sender.quota--
        }
        return true
      }
      return false
    },
  })
  const stop = (): void => pacer.stop()
  signal.addEventListener('abort', stop, { once: true })
  await pacer.ended
  signal.removeEventListener('abort', stop)
}

async function sendWithWindow (senders: readonly LoadSender[], window: number, signal: AbortSignal): Promise<void> {
  const now = performance.now()
  await Promise.race([
    new Promise(resolve => signal.addEventListener('abort', resolve, { once: true })),
    Promise.all(senders.map(async sender => await new Promise<void>(resolve => {
      sender.onAnswered = () => {
        if (signal.aborted) return
        if (sender.quota <= 0 || !sender.send(performance.now())) resolve()
      }
      if (!sender.isAlive) resolve()
      for (let n = 0; n < window && sender.quota > 0; n++) sender.send(now)
    }))),
  ])
}
