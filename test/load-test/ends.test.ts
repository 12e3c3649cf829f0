import t, { type Test } from 'tap'
import { runLoad, type LoadMode, type LoadOptions, type LoadResult } from '../../lib/load-test/run-load.js'
import { completeOptions } from '../../lib/load-test/load-options.js'
import { WorkerGenerator } from '../../lib/load-test/worker-generator.js'
import type { Scenario } from '../../lib/mock-gateway/scenario.js'
import { startMockServer } from '../../routes/mock/mock-server.js'
import { TcpProxy } from '../cluster/tcp-proxy.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { mics } from '../cli/run.js'

/** How a run ends whatever the gateway does. */

const LONG = { durationSeconds: 1, drainSeconds: 60, connectTimeoutSeconds: 60 }

async function run (
  url: string, mode: LoadMode, options: Partial<LoadOptions> = {}, onReceived: () => void = () => {}
): Promise<LoadResult> {
  let hasBegun = false
  return await runLoad(
    { mode, urls: [url.replace('http', 'ws')], tenants: ['t1'], connections: 4, ...LONG, ...options },
    {
      onProgress: ({ received }) => {
        if (received === 0 || hasBegun) return
        hasBegun = true
        onReceived()
      },
    })
}

async function startMock (t: Test, scenario: Scenario): Promise<string> {
  const { url, close } = await startMockServer({ host: '127.0.0.1', port: 0, scenario, seed: 1 })
  t.teardown(close)
  return url
}

function isAccountedFor (t: Test, { messages, deliveries }: LoadResult): void {
  t.equal(messages.sent, messages.acked + messages.unanswered, 'each message is acked or not')
  t.equal(messages.scheduled, messages.sent + messages.skipped)
  const { expected, received, unexpected, held, lost, missed } = deliveries
  t.equal(expected, received - unexpected + held + lost + missed)
}

t.test('connections of a gateway that stops are counted by its close code, and nobody waits for more', async t => {
  const gateway = await startPatientGateway(t)
  const result = await run(gateway.url, 'pair', { durationSeconds: 2, drainSeconds: 86_400 }, () => { gateway.server.close().catch(t.threw) })
  t.notOk(result.ok)
  const ended = Object.entries(result.connections.ended)
  t.equal(ended.length, 1)
  t.match(ended[0][0], /^4200 /)
  t.equal(ended[0][1], 4)
  t.ok(result.messages.skipped > 0, 'what was due after it had no sender')
  t.equal(result.deliveries.lost, 0)
  isAccountedFor(t, result)
})

t.test('a gateway whose connections break is found, and the run ends', async t => {
  const gateway = await startPatientGateway(t)
  const proxy = await TcpProxy.start(() => Number(new URL(gateway.url).port))
  t.teardown(async () => await proxy.close())
  const result = await run(`http://127.0.0.1:${proxy.port}`, 'pair', { durationSeconds: 2 }, () => proxy.sever())
  t.notOk(result.ok)
  t.equal(Object.values(result.connections.ended).reduce((a, b) => a + b, 0), 4)
  isAccountedFor(t, result)
})

t.test('a gateway that says nothing any more, and closes nothing, is found, and the run ends', async t => {
  const gateway = await startPatientGateway(t)
  const proxy = await TcpProxy.start(() => Number(new URL(gateway.url).port))
  t.teardown(async () => await proxy.close())
  const result = await run(`http://127.0.0.1:${proxy.port}`, 'pair', { durationSeconds: 2, drainSeconds: 1 }, () => proxy.cut())
  t.notOk(result.ok)
  t.ok(result.messages.unanswered > 0)
  isAccountedFor(t, result)
})

t.test('heartbeats that are not answered are found', async t => {
  const url = await startMock(t, { rules: [{ when: { event: 'ping', userId: 'load-0' }, do: { answer: 'never' } }] })
  const result = await run(url, 'heartbeat', {
    tenants: ['demo'],
    heartbeatSeconds: 0.1,
    drainSeconds: 0.5,
  })
  t.notOk(result.ok)
  t.strictSame(result.problems, ['1 heartbeat was not answered'])
  t.equal(result.heartbeats.sent, result.heartbeats.answered + 1)
})

t.test('a heartbeat that is on its way when the load ends is waited for', async t => {
  const url = await startMock(t, { rules: [{ when: { event: 'ping' }, do: { answer: { delayMs: 300 } } }] })
  const result = await run(url, 'heartbeat', { tenants: ['demo'], heartbeatSeconds: 0.1 })
  t.strictSame(result.problems, [])
  t.ok(result.heartbeats.sent > 0)
  t.equal(result.heartbeats.sent, result.heartbeats.answered)
})

t.test('in mode offline with a window, a sender whose connection is lost does not stop the others', async t => {
  const url = await startMock(t, {
    rules: [{ when: { event: 'message', userId: 'load-0', nth: 2 }, do: { close: { code: 4101 } } }],
  })
  const stop = new AbortController()
  const result = await runLoad({
    mode: 'offline',
    urls: [url.replace('http', 'ws')],
    tenants: ['demo'],
    connections: 4,
    window: 1,
    offlineMessages: 3,
    ...LONG,
    durationSeconds: 3600,
    drainSeconds: 0.1,
  }, {
    signal: stop.signal,
    // The other sender has its second round.
    onProgress: ({ acked }) => { if (acked > 4) stop.abort() },
  })
  t.ok(result.messages.acked > 4)
})

t.test('connections that come and are to stay for a day are closed when the time is over, also the latest', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.auth = async ({ token }) => {
    await new Promise(resolve => setTimeout(resolve, 400))
    return { ok: true, userId: token.slice(6) }
  }
  const { exitCode, stdout } = await mics(['load', 'churn', '--url', gateway.url, '--tenant', 't1', '--hold', '86400',
    '--duration', '0.5', '--connections', '1000', '--connect-rate', '30'])
  t.equal(exitCode, 0, stdout)
})

t.test('a thread that has ended is told to whoever asks it afterwards', async t => {
  const options = completeOptions({ mode: 'connect', urls: ['ws://127.0.0.1:1'], tenants: ['t1'] })
  const worker = new WorkerGenerator({ options: { ...options, urls: ['nonsense'] }, run: 1, thread: 0 })
  t.teardown(async () => await worker.close())
  await t.rejects(worker.connect(), /Invalid URL/)
  await t.rejects(worker.run(), /Invalid URL/)
  await worker.abandon()
})
