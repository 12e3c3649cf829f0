import { FRAME_OVERHEAD_BYTES } from '../protocol/limits.js'

/** Bytes of items that leave together; a larger item leaves alone. */
export const MAX_BATCH_BYTES = 256 * 1024

/** Room for the user ids of one item. */
const USER_IDS_BYTES = 1024 * 1024

/** The largest item: a message as large as they get, for many users. */
export function maxItemBytes (maxMessageBytes: number): number {
  return maxMessageBytes + FRAME_OVERHEAD_BYTES + USER_IDS_BYTES
}

/** Bytes that a node sends or receives at once: one item of the largest, or a batch. */
export function maxLinkBytes (maxMessageBytes: number): number {
  return maxItemBytes(maxMessageBytes) + MAX_BATCH_BYTES
}

/**
 * Items of each sort (quick, slow) that may be unanswered at once. What the peer remembers of its answers must exceed
 * both together, or an item sent again would be done again.
 */
export const MAX_UNANSWERED = 4096

/** Bytes of quick items that may be unanswered at once: beyond, the peer is slow, and they wait here. */
export const MAX_UNANSWERED_BYTES = 1024 * 1024

/** Answers that are remembered of each peer, and the user positions in them. */
export const SEEN_RESULTS = 4 * MAX_UNANSWERED
export const SEEN_POSITIONS = MAX_UNANSWERED_BYTES

/** A call that makes the peer do something that takes time may take this many times as long as another. */
export const SLOW_FACTOR = 5
