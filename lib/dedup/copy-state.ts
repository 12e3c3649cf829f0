import { AckReason } from '../protocol/server-errors.js'

/** What Redis knows of a message's id. */
export type CopyState =
  | { kind: 'in_flight', fingerprint: number, owner: string }
  | { kind: 'sent', fingerprint: number }
  | { kind: 'failed', fingerprint: number, reason: string }

const FIXED_REASONS = new Set<string>(Object.values(AckReason))

/*
 * In Redis: `i<fingerprint> <number> <key of the member that processes it>`, `f<fingerprint> <reason>`, and for a
 * message that was sent the bare fingerprint: of these there are many, and Redis keeps an integer in the least room.
 */

/** @param number tells the reservations of one member apart */
export function inFlight (fingerprint: number, number: number, owner: string): string {
  return `i${fingerprint} ${number} ${owner}`
}

export function sent (fingerprint: number): string {
  return `${fingerprint}`
}

/** A hook's own reason is the tenant's text and may quote the message, so it does not go to Redis. */
export function failed (fingerprint: number, reason: string): string {
  return `f${fingerprint} ${FIXED_REASONS.has(reason) ? reason : AckReason.REJECTED}`
}

export function parseCopyState (text: string): CopyState {
  const match = /^(?:i(-?\d+) \d+ |f(-?\d+) )/.exec(text)
  if (match === null) return { kind: 'sent', fingerprint: Number(text) }
  const [prefix, running, failed] = match
  const rest = text.slice(prefix.length)
  return running === undefined
    ? { kind: 'failed', fingerprint: Number(failed), reason: rest }
    : { kind: 'in_flight', fingerprint: Number(running), owner: rest }
}
