import t from 'tap'
import { AckStatus } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import type { Operation } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { holdNext, operations, PATIENT } from './hook-operations.js'

const OPEN = 1
const HALF_OPEN = 2
const CLOSED = 0

function breakerIs (gateway: TestGateway, operation: Operation, state: number): Promise<void> {
  return until(`the breaker is ${state}`, async () =>
    await gateway.metric('mics_hook_breaker_state', { tenant: 't1', operation }) === state)
}

function fail (gateway: TestGateway, operation: Operation): void {
  gateway.hooks.raw.set(operation, response => response.writeHead(500).end())
}

for (const operation of Object.keys(operations) as Operation[]) {
  t.test(`after 5 failures in a row /${operation} is not called any more`, async t => {
    const gateway = await startGateway(t, { HOOK_BREAKER_OPEN_MS: '60000' }, PATIENT)
    const { hooks } = gateway
    const use = await operations[operation](gateway)
    const before = hooks.callsOf(operation).length
    fail(gateway, operation)
    for (let n = 1; n <= 4; n++) t.equal(await use(n), false)
    hooks.raw.clear()
    t.equal(await use(5), true, 'four are not five')
    fail(gateway, operation)
    for (let n = 6; n <= 10; n++) t.equal(await use(n), false)
    t.equal(hooks.callsOf(operation).length - before, 10)
    await breakerIs(gateway, operation, OPEN)

    hooks.raw.clear()
    for (let n = 11; n <= 13; n++) t.equal(await use(n), false)
    t.equal(hooks.callsOf(operation).length - before, 10, 'no call was made')
    t.equal(await gateway.metric('mics_hook_calls_total', { operation, result: 'breaker_open' }), 3)
  })

  t.test(`/${operation} recovers through a single call`, async t => {
    const gateway = await startGateway(t, { HOOK_BREAKER_OPEN_MS: '50' }, PATIENT)
    const { hooks } = gateway
    const use = await operations[operation](gateway)
    fail(gateway, operation)
    for (let n = 1; n <= 5; n++) await use(n)
    await breakerIs(gateway, operation, HALF_OPEN)

    t.equal(await use(6), false, 'the trial fails')
    await breakerIs(gateway, operation, HALF_OPEN)
    const before = hooks.callsOf(operation).length
    const trial = holdNext(hooks, operation)
    const outcome = use(7)
    await trial.arrived
    // One after the other: messages that come together may share a call.
    for (const n of [8, 9, 10]) t.equal(await use(n), false)
    await until('the others were refused', async () =>
      await gateway.metric('mics_hook_calls_total', { operation, result: 'breaker_open' }) === 3)
    trial.answer()
    t.equal(await outcome, true)
    t.equal(hooks.callsOf(operation).length - before, 1)

    await breakerIs(gateway, operation, CLOSED)
    t.equal(await use(11), true)
  })

  t.test(`where the queue of /${operation} is full no call is made`, async t => {
    const gateway = await startGateway(t, { HOOK_MAX_CONCURRENCY: '1', HOOK_QUEUE_TIMEOUT_MS: '1' }, PATIENT)
    const { hooks } = gateway
    const use = await operations[operation](gateway)
    const before = hooks.callsOf(operation).length
    const first = holdNext(hooks, operation)
    const outcome = use(1)
    await first.arrived
    const second = use(2)
    await until('the second was refused', async () =>
      await gateway.metric('mics_hook_calls_total', { operation, result: 'queue_full' }) === 1)
    first.answer()
    t.equal(await outcome, true)
    t.equal(await second, false)
    t.equal(hooks.callsOf(operation).length - before, 1)
    t.equal(await use(3), true, 'and its place is free again')
  })
}

t.test('a breaker opens and recovers on the settings that the tenant\'s auth hook gave', async t => {
  const gateway = await startGateway(t, { HOOK_BREAKER_OPEN_MS: '60000' }, PATIENT)
  gateway.hooks.config = { hookBreakerFailureThreshold: 2, hookBreakerOpenMs: 20 }
  const use = await operations['check-message'](gateway)
  fail(gateway, 'check-message')
  await use(1)
  await use(2)
  await breakerIs(gateway, 'check-message', HALF_OPEN)
  gateway.hooks.raw.clear()
  t.equal(await use(3), true)
  await breakerIs(gateway, 'check-message', CLOSED)
})

t.test('calls at once and patience are what the tenant\'s auth hook gave', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { hookMaxConcurrency: 1, hookQueueTimeoutMs: 0 }
  const use = await operations['check-message'](gateway)
  const first = holdNext(gateway.hooks, 'check-message')
  const outcome = use(1)
  await first.arrived
  t.equal(await use(2), false)
  first.answer()
  t.equal(await outcome, true)
})

t.test('by default messages flow while the breaker of the check is open, each counted as degraded', async t => {
  const gateway = await startGateway(t, { HOOK_BREAKER_OPEN_MS: '60000' }, PATIENT)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  fail(gateway, 'check-message')
  for (let n = 1; n <= 8; n++) t.equal((await alice.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
  await bob.waitMessages(8)
  t.equal(gateway.hooks.callsOf('check-message').length, 5)
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 8)
})

t.test('by default messages that find the queue of the check full are delivered, each counted as degraded', async t => {
  const gateway = await startGateway(t, { HOOK_MAX_CONCURRENCY: '1', HOOK_QUEUE_TIMEOUT_MS: '0' }, PATIENT)
  // One after the other: the limit holds for auth as well.
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  const first = holdNext(gateway.hooks, 'check-message')
  alice.send({ toUserId: 'carol' })
  await first.arrived
  t.equal((await alice.sendAndAck({ toUserId: 'bob' })).status, AckStatus.SENT)
  await bob.waitMessages(1)
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 1)
  first.answer()
  await alice.waitAcks(2)
})
