import { createRequire } from 'node:module'
import t from 'tap'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { OtlpReceiver } from './otlp-receiver.js'

function isSdkLoaded (): boolean {
  return Object.keys(createRequire(import.meta.url).cache).some(path => path.includes('@opentelemetry/sdk-trace'))
}

t.test('where nothing is said of tracing, its SDK is not even loaded', async t => {
  const gateway = await startPatientGateway(t)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob' })
  t.equal(gateway.server.app.tracing, undefined)
  t.notOk(isSdkLoaded())
  const { traceId } = await alice.connectAck()
  for (const operation of ['auth', 'check-message'] as const) {
    const [call] = gateway.hooks.callsOf(operation)
    t.match(call.headers.traceparent, new RegExp(`^00-${traceId}-(?!0{16})[0-9a-f]{16}-00$`), operation)
    t.equal(call.meta.traceId, traceId)
  }
})

t.test('OTEL_SDK_DISABLED switches it off, whatever else is said', async t => {
  const receiver = await OtlpReceiver.start(t)
  const gateway = await startPatientGateway(t, { ...receiver.env, OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' })
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob' })
  await gateway.server.close()
  t.equal(receiver.requests, 0)
  t.notOk(isSdkLoaded())
})

t.test('where it is on, the SDK is found loaded', async t => {
  const receiver = await OtlpReceiver.start(t)
  await startPatientGateway(t, receiver.env)
  t.ok(isSdkLoaded())
})
