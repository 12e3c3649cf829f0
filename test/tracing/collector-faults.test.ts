import t, { type Test } from 'tap'
import { AckStatus } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'
import { OtlpReceiver } from './otlp-receiver.js'

/** What the exporter reads by itself, until the test ends. */
function withExporter (t: Test, env: Record<string, string>): void {
  t.teardown(() => { for (const name of Object.keys(env)) delete process.env[name] })
  Object.assign(process.env, env)
}

const DROPPED = 'mics_trace_spans_dropped_total'

t.test('a collector that hangs holds up no message and no stop, and what it does not get is counted', async t => {
  const receiver = await OtlpReceiver.start(t)
  receiver.mode = 'hang'
  // So long that it is no export's own end that is seen here.
  withExporter(t, { OTEL_EXPORTER_OTLP_TIMEOUT: '60000' })
  const gateway = await startPatientGateway(t, {
    ...receiver.env,
    OTEL_BSP_MAX_QUEUE_SIZE: '20',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5',
    OTEL_BSP_EXPORT_TIMEOUT: '3600000',
  })
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  await until('the collector hangs', () => receiver.unanswered > 0)
  for (let i = 0; i < 50; i++) t.equal((await alice.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
  await bob.waitMessages(50)
  // Three spans a message; 20 wait, and a few are under way.
  t.ok(await gateway.metric(DROPPED, { reason: 'queue_full' }) >= 100)

  await gateway.server.close()
  t.ok(receiver.unanswered > 0, 'it did not wait for the collector')
  const counts = gateway.server.app.tracing?.counts
  t.ok(Number(counts?.dropped.shutdown) >= 20, 'those that waited are counted')
  t.equal(counts?.exported, 0)
})

t.test('spans that the collector refuses are counted, and it gets those after them', async t => {
  const receiver = await OtlpReceiver.start(t)
  receiver.mode = 'refuse'
  withExporter(t, { OTEL_EXPORTER_OTLP_HEADERS: 'x-key=of-this-test' })
  const gateway = await startPatientGateway(t, receiver.env)
  const alice = await gateway.connect('alice')
  await until('a refusal is counted', async () => await gateway.metric(DROPPED, { reason: 'export_failed' }) >= 2)
  t.equal(await gateway.metric('mics_trace_spans_exported_total'), 0)

  receiver.mode = 'take'
  await alice.sendAndAck({ toUserId: 'bob' })
  const { traceId } = await alice.connectAck()
  await receiver.trace(traceId, spans => spans.some(({ name }) => name === 'mics.message'))
  await until('they are counted', async () => await gateway.metric('mics_trace_spans_exported_total') >= 3)
  t.equal(receiver.headers[0]['x-key'], 'of-this-test')
})

t.test('messages go on where there is no collector', async t => {
  const receiver = await OtlpReceiver.start(t)
  const { env } = receiver
  await receiver.close()
  withExporter(t, { OTEL_EXPORTER_OTLP_TIMEOUT: '500' })
  const gateway = await startPatientGateway(t, env)
  const [alice, bob] = [await gateway.connect('alice'), await gateway.connect('bob')]
  t.equal((await alice.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
  await bob.waitMessages(1)
})

t.test('the last spans are exported when the gateway stops', async t => {
  const receiver = await OtlpReceiver.start(t)
  // The queue would keep them for an hour.
  const gateway = await startPatientGateway(t, { ...receiver.env, OTEL_BSP_SCHEDULE_DELAY: '3600000' })
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob' })
  t.equal(receiver.requests, 0)
  await gateway.server.close()
  t.ok(receiver.spans.some(({ name }) => name === 'mics.message'))
})
