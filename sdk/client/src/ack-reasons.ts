/** Reasons of FAILED acks after which the same message may be taken later: docs/protocol.md, "Sending and acks". */
const passing = new Set([
  'tenant qps limited',
  'check unavailable',
  'group members unavailable',
  'delivery failed',
  'internal error',
])

export function isPassing (ackReason: string): boolean {
  return passing.has(ackReason)
}
