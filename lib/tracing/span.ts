/** Which side of what a span is, as OpenTelemetry has it. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export type SpanAttributes = Record<string, string | number>

/** What spans can be part of. */
export interface SpanParent {
  /** A new span beneath it, begun now. Undefined: it is not recorded. */
  child (name: string, kind: SpanKind, attributes: SpanAttributes): Span | undefined
}

/** A part of a trace that is recorded, until it ends. After that it may still be a parent. */
export interface Span extends SpanParent {
  /** Names it to others: the header of W3C Trace Context. */
  readonly traceparent: string
  /** Texts that are too long are cut. */
  set (attributes: SpanAttributes): void
  /** It went wrong. `type` is one of few words, and never what somebody else has written. */
  fail (type: string): void
  /** @param at when it was over, by performance.now(); default: now. Later calls change nothing. */
  end (at?: number): void
}
