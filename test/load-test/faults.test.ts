import t, { type Test } from 'tap'
import { runLoad, type LoadOptions, type LoadResult } from '../../lib/load-test/run-load.js'
import type { Scenario } from '../../lib/mock-gateway/scenario.js'
import { startMockServer } from '../../routes/mock/mock-server.js'

/** A pair that chats through a gateway that fails as the scenario says. The recipient is load-1. */
async function pairThrough (t: Test, scenario: Scenario, options: Partial<LoadOptions> = {}): Promise<LoadResult> {
  const { url, close } = await startMockServer({ host: '127.0.0.1', port: 0, scenario, seed: 1 })
  t.teardown(close)
  return await runLoad({
    mode: 'pair', urls: [url.replace('http', 'ws')], tenants: ['demo'], connections: 2, rate: 100, durationSeconds: 0.5, drainSeconds: 2, ...options,
  })
}

t.test('through a gateway that works nothing is found', async t => {
  const { ok, messages, deliveries } = await pairThrough(t, {})
  t.ok(ok)
  t.ok(messages.sent > 3)
  t.match(deliveries, { received: messages.sent, lost: 0, duplicated: 0, reordered: 0 })
})

t.test('a delivery that never comes is lost', async t => {
  const { ok, problems, messages, deliveries } = await pairThrough(t, {
    rules: [{ when: { event: 'delivery', userId: 'load-1', nth: 2 }, do: { answer: 'never' } }],
  })
  t.notOk(ok)
  t.strictSame(problems, ['1 delivery was lost'])
  t.match(deliveries, { expected: messages.sent, received: messages.sent - 1, lost: 1, duplicated: 0, reordered: 0 })
})

t.test('a delivery that comes three times is two duplicates', async t => {
  const { ok, problems, messages, deliveries } = await pairThrough(t, {
    rules: [{ when: { event: 'delivery', userId: 'load-1', nth: 3 }, do: { answer: { copies: 3 } } }],
  })
  t.notOk(ok)
  t.strictSame(problems, ['2 deliveries came twice'])
  t.match(deliveries, { received: messages.sent, lost: 0, duplicated: 2, reordered: 0 })
})

t.test('deliveries of one sender in another order are reordered, and neither lost nor duplicated', async t => {
  const { ok, messages, deliveries } = await pairThrough(t, {
    rules: [{ when: { event: 'delivery', userId: 'load-1' }, do: { answer: { reorder: { count: 4, illegal: true } } } }],
  }, { window: 16, rate: undefined })
  t.notOk(ok)
  t.ok(deliveries.reordered > 0)
  t.match(deliveries, { received: messages.sent, lost: 0, duplicated: 0 })
})

t.test('a message without an ack is not answered, and its delivery was not promised', async t => {
  const { ok, problems, messages, deliveries } = await pairThrough(t, {
    rules: [{ when: { event: 'message', userId: 'load-0', nth: 2 }, do: { answer: 'never' } }],
  })
  t.notOk(ok)
  t.strictSame(problems, ['1 message has no ack'])
  t.match(messages, { acked: messages.sent - 1, unanswered: 1 })
  t.match(deliveries, { expected: messages.sent - 1, received: messages.sent, unexpected: 1, lost: 0 })
})

t.test('an ack that comes twice is found', async t => {
  const { problems } = await pairThrough(t, {
    rules: [{ when: { event: 'message', userId: 'load-0', nth: 2 }, do: { answer: { copies: 2 } } }],
  })
  t.strictSame(problems, ['1 ack was for no message that waited for one'])
})

t.test('what a connection that ended has missed is not lost, and the connection is counted by its code', async t => {
  const { connections, messages, deliveries } = await pairThrough(t, {
    rules: [{ when: { event: 'delivery', userId: 'load-1', nth: 3 }, do: { close: { code: 4101, reason: 'slow consumer' } } }],
  })
  t.match(connections, { connected: 2, ended: { '4101 slow consumer': 1 } })
  t.equal(deliveries.lost, 0)
  t.ok(deliveries.received < messages.sent)
  t.ok(deliveries.missed + deliveries.held > 0)
})

t.test('a refused upgrade is counted by its status, and one that hangs is given up', async t => {
  const refused = await pairThrough(t, { rules: [{ when: { event: 'connect' }, do: { refuse: { status: 503, retryAfterSeconds: 1 } } }] })
  t.match(refused.connections, { connected: 0, refused: { 'HTTP 503': 2 } })
  const hung = await pairThrough(t, { rules: [{ when: { event: 'connect' }, do: { hang: 'connect_ack' } }] }, { connectTimeoutSeconds: 0.2 })
  t.match(hung.connections, { connected: 0, refused: { timeout: 2 } })
})

t.test('frames that are none are complaints', async t => {
  const { ok, complaints } = await pairThrough(t, {
    rules: [{ when: { event: 'delivery', userId: 'load-1', nth: 1 }, do: { before: [{ hex: 'ff' }, { error: { code: 4400, message: 'bad' } }] } }],
  })
  t.notOk(ok)
  t.strictSame(complaints, { 'a frame that is no ServerFrame': 1, 'error 4400 bad': 1 })
})

t.test('fields that nobody knows change nothing', async t => {
  const { ok, problems } = await pairThrough(t, {
    rules: (['connect', 'message', 'delivery'] as const).map(event => ({ when: { event }, do: { answer: { unknownFields: true } } })),
  })
  t.ok(ok, problems.join('; '))
})
