import {
  ROOT_CONTEXT, SpanKind as OtelSpanKind, SpanStatusCode, trace,
  type Context, type Span as OtelApiSpan, type Tracer,
} from '@opentelemetry/api'
import type { Span, SpanAttributes, SpanKind } from './span.js'

/** Characters of a text in a span. It may be anybody's. */
const MAX_TEXT_LENGTH = 256

const KINDS: Record<SpanKind, OtelSpanKind> = {
  internal: OtelSpanKind.INTERNAL,
  server: OtelSpanKind.SERVER,
  client: OtelSpanKind.CLIENT,
  producer: OtelSpanKind.PRODUCER,
  consumer: OtelSpanKind.CONSUMER,
}

/** How spans are made. */
export interface SpanMaker {
  tracer: Tracer
  nodeId: string
}

/** A span of OpenTelemetry's SDK. When it has ended only its context is kept, for those beneath it. */
export class OtelSpan implements Span {
  readonly traceparent: string
  private readonly context: Context

  private constructor (private readonly maker: SpanMaker, private span: OtelApiSpan | undefined) {
    const context = (span as OtelApiSpan).spanContext()
    this.traceparent = `00-${context.traceId}-${context.spanId}-01`
    this.context = trace.setSpanContext(ROOT_CONTEXT, context)
  }

  /** Undefined: the sampler has decided against it. */
  static start (
    maker: SpanMaker, parent: Context, name: string, kind: SpanKind, attributes: SpanAttributes
  ): OtelSpan | undefined {
    const span = maker.tracer.startSpan(name, {
      kind: KINDS[kind],
      attributes: { ...bounded(attributes), 'mics.node_id': maker.nodeId },
    }, parent)
    return span.isRecording() ? new OtelSpan(maker, span) : undefined
  }

  child (name: string, kind: SpanKind, attributes: SpanAttributes): OtelSpan | undefined {
    return OtelSpan.start(this.maker, this.context, name, kind, attributes)
  }

  set (attributes: SpanAttributes): void {
    this.span?.setAttributes(bounded(attributes))
  }

  fail (type: string): void {
    this.span?.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR, message: type })
  }

  end (at?: number): void {
    this.span?.end(at)
    this.span = undefined
  }
}

/** Each text that is too long becomes one of its own: a part of a longer one would keep all of it. */
function bounded (attributes: SpanAttributes): SpanAttributes {
  const all: SpanAttributes = {}
  for (const [name, value] of Object.entries(attributes)) {
    const isLong = typeof value === 'string' && value.length > MAX_TEXT_LENGTH
    all[name] = isLong ? Buffer.from(value.slice(0, MAX_TEXT_LENGTH)).toString() : value
  }
  return all
}
