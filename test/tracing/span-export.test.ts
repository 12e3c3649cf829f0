import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'
import t from 'tap'
import { readTracing } from '../../lib/config/tracing-config.js'
import { Tracing } from '../../lib/tracing/tracing.js'
import { until } from '../helpers/until.js'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

interface Rig {
  tracing: Tracing
  log: string[]
  /** What the exporter says to each batch. */
  answer: { isTaken: boolean }
}

function start (env: NodeJS.ProcessEnv = {}): Rig {
  const { tracing: config } = readTracing({ OTEL_TRACES_EXPORTER: 'otlp', OTEL_BSP_SCHEDULE_DELAY: '1', ...env })
  if (config === undefined) throw new Error('tracing is off')
  const log: string[] = []
  const answer = { isTaken: true }
  const exporter: SpanExporter = {
    export: (_spans: ReadableSpan[], done) => setImmediate(() =>
      done(answer.isTaken ? { code: 0 } : { code: 1, error: new Error('the collector is on fire') })),
    shutdown: async () => {},
  }
  const line = (level: string) => (fields: object, text: string): void => { log.push(`${level} ${text} ${JSON.stringify(fields)}`) }
  const tracing = new Tracing({
    config, nodeId: 'node-1', version: '1.2.3', log: { warn: line('warn'), info: line('info') }, exporter,
  })
  return { tracing, log, answer }
}

/** Records one span, and waits for what becomes of it. */
async function record ({ tracing }: Rig): Promise<void> {
  const settled = (): number => tracing.counts.exported + tracing.counts.dropped.export_failed
  const before = settled()
  tracing.connection(TRACE_ID, {})?.connected()
  await until('the span is settled', () => settled() > before)
}

t.test('that spans are not exported is logged once, and once that they are again', async t => {
  const rig = start()
  t.teardown(async () => await rig.tracing.close(0))
  await record(rig)
  t.strictSame(rig.log, [])
  rig.answer.isTaken = false
  for (let i = 0; i < 3; i++) await record(rig)
  t.equal(rig.log.length, 1)
  t.match(rig.log[0], /^warn spans are not exported.*the collector is on fire/)
  rig.answer.isTaken = true
  for (let i = 0; i < 2; i++) await record(rig)
  t.match(rig.log[1], /^info spans are exported again/)
  t.equal(rig.log.length, 2)
  t.strictSame(rig.tracing.counts, { exported: 3, dropped: { queue_full: 0, export_failed: 3, shutdown: 0 } })
})

t.test('as many wait as may, and more are dropped and counted', async t => {
  const { tracing } = start({ OTEL_BSP_MAX_QUEUE_SIZE: '5', OTEL_BSP_SCHEDULE_DELAY: '3600000' })
  for (let i = 0; i < 12; i++) tracing.connection(TRACE_ID, {})?.connected()
  // Five fill a batch, which leaves at once; five wait.
  t.equal(tracing.counts.dropped.queue_full, 2)
  await tracing.close(20_000)
  t.equal(tracing.counts.exported, 10)
  tracing.connection(TRACE_ID, {})?.connected()
  t.equal(tracing.counts.dropped.shutdown, 1, 'what comes after the end')
})

t.test('a connection keeps the trace id that it has', async t => {
  const { tracing } = start()
  t.teardown(async () => await tracing.close(0))
  const trace = tracing.connection(TRACE_ID, {})
  t.match(trace?.child('mics.event', 'producer', {})?.traceparent, new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`))
  trace?.connected()
  t.match(trace?.child('mics.event', 'producer', {})?.traceparent, new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`),
    'after the handshake too')
})

t.test('a sampler by ratio decides alike on all nodes', async t => {
  const [one, other] = [start, start].map(start => start({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' }))
  t.teardown(async () => { await Promise.all([one, other].map(async ({ tracing }) => await tracing.close(0))) })
  let sampled = 0
  for (let i = 0; i < 1000; i++) {
    const traceId = (BigInt(i + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n & (1n << 128n) - 1n).toString(16).padStart(32, '0')
    const span = one.tracing.connection(traceId, {})?.child('mics.forward', 'client', {})
    if (span === undefined) continue
    sampled++
    t.ok(other.tracing.continue(span.traceparent, 'mics.deliver', 'server', {}), traceId)
  }
  t.ok(sampled > 300 && sampled < 700, `${sampled} of 1000`)
})

t.test('nothing goes on with a span that is none, or is not sampled', async t => {
  const { tracing } = start()
  t.teardown(async () => await tracing.close(0))
  const valid = `00-${TRACE_ID}-b7ad6b7169203331-01`
  t.ok(tracing.continue(valid, 'mics.deliver', 'server', {}))
  for (const traceparent of ['', 'nonsense', valid.replace(/01$/, '00'), valid.replace('00-', 'ff-'), valid.slice(1), `${valid}0`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-${TRACE_ID}-${'0'.repeat(16)}-01`]) {
    t.equal(tracing.continue(traceparent, 'mics.deliver', 'server', {}), undefined, traceparent)
  }
})
