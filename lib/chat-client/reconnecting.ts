import { CloseCode } from '../protocol/close-codes.js'
import { AckReason } from '../protocol/server-errors.js'

/** What docs/protocol.md, "Close codes", tells a client to take as the end. */
const finalCodes = new Set<number>([
  CloseCode.NORMAL,
  CloseCode.AUTH_FAILED,
  CloseCode.UNKNOWN_TENANT,
  CloseCode.DISCONNECTED_BY_TENANT,
  CloseCode.REPLACED,
  // WebSocket's own: this client breaks the protocol, or sends frames that are far too large.
  1002, 1007, 1009,
])

/** Upper bounds of the random delays, in milliseconds. */
const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 30_000

/** Would a client that connects again meet the same end? Codes that nobody knows yet count as passing. */
export function isFinal (closeCode: number): boolean {
  return finalCodes.has(closeCode)
}

/**
 * Milliseconds until the next attempt: random, so that the clients of a node do not all come back in one moment.
 * @param failures attempts since the last `connect_ack`, this one not counted
 * @param random from 0 to 1
 */
export function reconnectDelayMs (closeCode: number, failures: number, random: number): number {
  // Another node answers: there is nothing to wait for.
  if (closeCode === CloseCode.DRAINING) return random * FIRST_DELAY_MS
  return random * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures)
}

/** Reasons of a FAILED ack for which docs/protocol.md, "Sending and acks", says to send the message again later. */
const passingReasons = new Set<string>([
  AckReason.QPS_LIMITED,
  AckReason.CHECK_UNAVAILABLE,
  AckReason.MEMBERS_UNAVAILABLE,
  AckReason.DELIVERY_FAILED,
  AckReason.INTERNAL_ERROR,
])

/** May the same message be taken later? */
export function isPassing (ackReason: string): boolean {
  return passingReasons.has(ackReason)
}
