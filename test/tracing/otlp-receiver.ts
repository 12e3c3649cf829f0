import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import protobuf from 'protobufjs'
import type { Test } from 'tap'
import { until } from '../helpers/until.js'

/** What of opentelemetry.proto.collector.trace.v1 is looked at here; the rest is skipped. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
  }
  message Status { string message = 2; int32 code = 3; }
`)
const requestType = root.lookupType('ExportTraceServiceRequest')

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']

type Attributes = Record<string, string | number>

/** A span as a collector gets it. */
export interface ReceivedSpan {
  traceId: string
  spanId: string
  /** Empty: it has none. */
  parentId: string
  name: string
  kind: string
  attributes: Attributes
  /** Empty where nothing is wrong. */
  error: string
  /** Nanoseconds. */
  duration: number
  resource: Attributes
}

interface KeyValue { key: string, value: { stringValue?: string, intValue?: string, doubleValue?: number } }

/** A collector of OpenTelemetry over HTTP, as far as spans go. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = []
  /** All that has come, byte by byte. */
  readonly bodies: Buffer[] = []
  readonly headers: IncomingHttpHeaders[] = []
  /** Requests, answered or not. */
  requests = 0
  /** What it does with a request: takes it, refuses it for good, or never answers. */
  mode: 'take' | 'refuse' | 'hang' = 'take'

  private readonly hanging: ServerResponse[] = []

  private constructor (private readonly server: Server) {}

  /** One that is closed when the test ends. */
  static async start (t: Test): Promise<OtlpReceiver> {
    const server = createServer()
    const receiver = new OtlpReceiver(server)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        receiver.requests++
        if (receiver.mode === 'hang') return receiver.hanging.push(response)
        if (receiver.mode === 'refuse') return response.writeHead(400).end()
        receiver.headers.push(request.headers)
        receiver.take(Buffer.concat(chunks))
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(async () => await receiver.close())
    return receiver
  }

  /** Requests whose sender still waits for the answer that it will not get. */
  get unanswered (): number {
    return this.hanging.filter(({ destroyed }) => !destroyed).length
  }

  get url (): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** For a gateway that is to be traced completely. */
  get env (): NodeJS.ProcessEnv {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.url, OTEL_BSP_SCHEDULE_DELAY: '20' }
  }

  /** Those of one trace, once they are such that `isComplete`. */
  async trace (traceId: string, isComplete: (spans: ReceivedSpan[]) => boolean): Promise<ReceivedSpan[]> {
    const ofTrace = (): ReceivedSpan[] => this.spans.filter(span => span.traceId === traceId)
    await until(`the trace ${traceId} is complete`, () => isComplete(ofTrace()))
    return ofTrace()
  }

  async close (): Promise<void> {
    if (!this.server.listening) return
    // Refused, they are not sent again.
    for (const response of this.hanging) response.writeHead(400).end()
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeIdleConnections()
    await closed
  }

  private take (body: Buffer): void {
    this.bodies.push(body)
    const decoded = requestType.decode(body)
    const request = requestType.toObject(decoded, { longs: String, bytes: Array, arrays: true, defaults: true })
    for (const { resource, scopeSpans } of request.resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }: { spans: object[] }) => spans)) {
        this.spans.push({
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          parentId: hex(span.parentSpanId),
          name: span.name,
          kind: KINDS[span.kind],
          attributes: attributesOf(span.attributes),
          error: span.status?.code === 2 ? span.status.message : '',
          duration: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)),
          resource: attributesOf(resource.attributes),
        })
      }
    }
  }
}

function hex (bytes: number[]): string {
  return Buffer.from(bytes).toString('hex')
}

function attributesOf (list: KeyValue[]): Attributes {
  return Object.fromEntries(list.map(({ key, value }) =>
    [key, value.stringValue ?? value.doubleValue ?? Number(value.intValue)]))
}
