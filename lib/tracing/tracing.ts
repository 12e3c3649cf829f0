import { ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler, AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor, ConsoleSpanExporter, ParentBasedSampler,
  TraceIdRatioBasedSampler, type IdGenerator, type Sampler, type SpanExporter,
} from '@opentelemetry/sdk-trace-base'
import type { TracingConfig } from '../config/tracing-config.js'
import type { LogLine } from '../log/throttled-log.js'
import { ConnectionTrace } from './connection-trace.js'
import { OtelSpan, type SpanMaker } from './otel-span.js'
import type { SpanCounts } from './span-counts.js'
import { SpanExport } from './span-export.js'
import { SpanIds } from './span-ids.js'
import type { Span, SpanAttributes, SpanKind } from './span.js'
import { parseTraceparent } from './traceparent.js'

export interface TracingOptions {
  config: TracingConfig
  nodeId: string
  /** Of this software. */
  version: string
  log: { warn: LogLine, info: LogLine }
  /** Default: what `config` says. */
  exporter?: SpanExporter
}

/**
 * Records what happens to connections and their messages as spans, where the sampler chooses the connection, and
 * exports them with OpenTelemetry's SDK. Others import only its type: where nothing is traced the SDK is not loaded.
 */
export class Tracing {
  private readonly ids = new ConnectionIds()
  private readonly spans: SpanExport
  private readonly maker: SpanMaker

  constructor ({ config, nodeId, version, log, exporter = exporterOf(config) }: TracingOptions) {
    const { maxQueueSize, maxBatchSize: maxExportBatchSize } = config
    this.spans = new SpanExport({
      exporter,
      maxQueueSize,
      queue: to => new BatchSpanProcessor(to, {
        maxQueueSize,
        maxExportBatchSize: Math.min(maxExportBatchSize, maxQueueSize),
        scheduledDelayMillis: config.scheduleDelayMs,
        exportTimeoutMillis: config.exportTimeoutMs,
      }),
      log,
    })
    const provider = new BasicTracerProvider({
      sampler: samplerOf(config),
      resource: resourceFromAttributes({
        'service.name': config.serviceName,
        'service.instance.id': nodeId,
        'service.version': version,
        ...config.resourceAttributes,
      }),
      idGenerator: this.ids,
      spanProcessors: [this.spans],
    })
    this.maker = { tracer: provider.getTracer('mics', version), nodeId }
  }

  get counts (): Readonly<SpanCounts> {
    return this.spans.counts
  }

  /** A connection whose handshake begins now. Undefined: it is not traced. */
  connection (traceId: string, attributes: SpanAttributes): ConnectionTrace | undefined {
    this.ids.traceId = traceId
    const span = OtelSpan.start(this.maker, ROOT_CONTEXT, 'mics.connect', 'server', attributes)
    return span && new ConnectionTrace(span)
  }

  /** Goes on with a span of another node. Undefined: that is none, it is not sampled, or not to be recorded here. */
  continue (traceparent: string, name: string, kind: SpanKind, attributes: SpanAttributes): Span | undefined {
    const remote = parseTraceparent(traceparent)
    if (remote?.isSampled !== true) return undefined
    const { traceId, spanId } = remote
    const context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true }
    return OtelSpan.start(this.maker, trace.setSpanContext(ROOT_CONTEXT, context), name, kind, attributes)
  }

  /** Exports what has been recorded. Resolves when that is done, or after `timeoutMs`; what remains then is dropped. */
  async close (timeoutMs: number): Promise<void> {
    await this.spans.close(timeoutMs)
  }
}

/** A trace has the id that its connection has had before, in the log and in connect_ack. */
class ConnectionIds implements IdGenerator {
  /** Of the next connection. */
  traceId = ''
  private readonly spanIds = new SpanIds()

  generateTraceId (): string {
    return this.traceId
  }

  generateSpanId (): string {
    return this.spanIds.next()
  }
}

function exporterOf ({ exporter, url }: TracingConfig): SpanExporter {
  // What is not said here it takes from the environment: headers, timeout, compression, certificates.
  return exporter === 'console' ? new ConsoleSpanExporter() : new OTLPTraceExporter({ url })
}

function samplerOf ({ sampler, ratio }: TracingConfig): Sampler {
  const name = sampler.replace(/^parentbased_/, '')
  const root = name === 'always_on'
    ? new AlwaysOnSampler()
    : name === 'always_off' ? new AlwaysOffSampler() : new TraceIdRatioBasedSampler(ratio)
  return name === sampler ? root : new ParentBasedSampler({ root })
}
