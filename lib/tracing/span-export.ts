import type { BatchSpanProcessor, ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { LogLine } from '../log/throttled-log.js'
import { withinMs } from '../timing/within-ms.js'
import { newSpanCounts, type SpanCounts } from './span-counts.js'

type ExportDone = Parameters<SpanExporter['export']>[1]

/** ExportResultCode.SUCCESS of OpenTelemetry. */
const SUCCESS = 0

export interface SpanExportOptions {
  exporter: SpanExporter
  /** Makes the queue of OpenTelemetry's SDK that leads to an exporter. */
  queue: (exporter: SpanExporter) => BatchSpanProcessor
  /** Spans that the queue takes. */
  maxQueueSize: number
  log: { warn: LogLine, info: LogLine }
}

/**
 * The way of ended spans out of the process: through the SDK's queue to the exporter. Nothing waits for it. What is
 * lost on it is counted; that the collector takes nothing is logged once, and once when it does again.
 */
export class SpanExport implements SpanProcessor {
  readonly counts: SpanCounts = newSpanCounts()
  private readonly processor: BatchSpanProcessor
  /** In the queue, as the SDK counts them. */
  private waiting = 0
  /** Handed to the exporter and not settled. */
  private underWay = 0
  private isFailing = false
  private isClosed = false

  constructor (private readonly options: SpanExportOptions) {
    const { exporter } = options
    this.processor = options.queue({
      export: (spans, done) => this.export(spans, done),
      shutdown: async () => await exporter.shutdown(),
    })
  }

  onStart (): void {}

  onEnd (span: ReadableSpan): void {
    if (this.isClosed) {
      this.counts.dropped.shutdown++
    } else if (this.waiting >= this.options.maxQueueSize) {
      this.counts.dropped.queue_full++
    } else {
      this.waiting++
      this.processor.onEnd(span)
    }
  }

  async forceFlush (): Promise<void> {
    await this.processor.forceFlush()
  }

  async shutdown (): Promise<void> {
    await this.close(0)
  }

  /** Exports what waits. Resolves when that is done, or after `timeoutMs`; what remains then is dropped. */
  async close (timeoutMs: number): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    const done = this.processor.shutdown().catch((err: Error) => this.failed(err))
    await withinMs(timeoutMs, done)
    this.counts.dropped.shutdown += this.waiting + this.underWay
    this.waiting = this.underWay = 0
  }

  private export (spans: ReadableSpan[], done: ExportDone): void {
    this.waiting -= spans.length
    this.underWay += spans.length
    this.options.exporter.export(spans, result => {
      // After the end they are counted as dropped already.
      if (this.underWay > 0) this.settle(spans.length, result.code === SUCCESS, result.error)
      done(result)
    })
  }

  private settle (count: number, isExported: boolean, error: Error | undefined): void {
    this.underWay -= count
    if (!isExported) {
      this.counts.dropped.export_failed += count
      this.failed(error)
      return
    }
    this.counts.exported += count
    if (!this.isFailing) return
    this.isFailing = false
    this.options.log.info({}, 'spans are exported again')
  }

  private failed (error: Error | undefined): void {
    if (this.isFailing) return
    this.isFailing = true
    this.options.log.warn({ problem: error?.message },
      'spans are not exported, and dropped: see whether the collector of OTEL_EXPORTER_OTLP_ENDPOINT can be reached and takes them')
  }
}
