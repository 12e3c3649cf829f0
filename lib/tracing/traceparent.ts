import { SpanIds } from './span-ids.js'

/** The header by which one service continues the trace of another (W3C Trace Context, level 1). */
export const TRACEPARENT = 'traceparent'

/** A span of another process. */
export interface RemoteSpan {
  traceId: string
  spanId: string
  isSampled: boolean
}

const spanIds = new SpanIds()

/**
 * Names a step of a trace that nobody records: others may find their own spans and lines by its trace id, and are told
 * that there is nothing to join. Undefined where the trace id is none by the standard.
 */
export function unsampledTraceparent (traceId: string): string | undefined {
  if (!/^(?!0{32})[0-9a-f]{32}$/i.test(traceId)) return undefined
  return `00-${traceId.toLowerCase()}-${spanIds.next()}-00`
}

/** Undefined: it is none. */
export function parseTraceparent (text: string): RemoteSpan | undefined {
  const match = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text)
  if (match === null) return undefined
  const [, traceId, spanId, flags] = match
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & 1) === 1 }
}
