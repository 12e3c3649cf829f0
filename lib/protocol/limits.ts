/** A frame may be this much larger than the largest msg_body: ids, groups, and room for fields to come. */
export const FRAME_OVERHEAD_BYTES = 64 * 1024

/**
 * A frame beyond the limit is answered with 4401 and the connection stays; for that it must be received. Beyond this
 * multiple of the limit it is not: the connection ends with WebSocket's own 1009.
 */
export const MAX_RECEIVED_FRAME_FACTOR = 4
