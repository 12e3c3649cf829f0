import t from 'tap'
import { HOOK_TIMEOUT_MS } from '../../lib/hooks/hooks-client.js'
import { AckStatus, body, MessageType, TestClient, text } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import type { HookServer, Operation } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { deadUrl, operations, PATIENT } from './hook-operations.js'

const MiB = 1024 * 1024

/** One byte more than the gateway takes from each hook. */
const tooLarge: Record<Operation, number> = {
  auth: 64 * 1024 + 1,
  'check-message': 64 * 1024 + 1,
  'check-messages': (64 + 2) * 1024 + 1,
  'get-group-members': 16 * MiB + 1,
  'get-offline-messages': 32 * MiB + 1,
}

interface Failure {
  name: string
  /** The `result` of mics_hook_calls_total. */
  result: string
  breakHook?: (hooks: HookServer, operation: Operation) => void
}

const failures: Failure[] = [
  {
    name: 'never answers',
    result: 'timeout',
    breakHook: (hooks, operation) => hooks.raw.set(operation, () => {}),
  },
  {
    name: 'stops in the middle of its answer',
    result: 'timeout',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => {
      response.writeHead(200, { 'content-length': 10 }).write('a')
    }),
  },
  {
    name: 'answers 500',
    result: 'status',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => response.writeHead(500).end()),
  },
  {
    name: 'redirects',
    result: 'status',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => {
      response.writeHead(302, { location: '/elsewhere' }).end()
    }),
  },
  {
    name: 'answers garbage',
    result: 'undecodable',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => response.end(Buffer.alloc(40, 0xff))),
  },
  {
    name: 'answers HTML',
    result: 'undecodable',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => response.end('<!doctype html><p>Welcome')),
  },
  {
    name: 'answers too much',
    result: 'too_large',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => {
      response.end(Buffer.alloc(tooLarge[operation]))
    }),
  },
  {
    name: 'hangs up',
    result: 'network',
    breakHook: (hooks, operation) => hooks.raw.set(operation, response => response.destroy()),
  },
  { name: 'is not there', result: 'network' },
]

for (const operation of Object.keys(operations) as Operation[]) {
  t.test(`/${operation} fails as documented`, async t => {
    for (const { name, result, breakHook } of failures) {
      t.test(`when the hook ${name}`, async t => {
        const nowhere = await deadUrl()
        const isGone = breakHook === undefined
        const env = isGone && operation === 'auth' ? { TENANT_AUTH_MAP: JSON.stringify({ t1: nowhere }) } : {}
        const gateway = await startGateway(t, env, PATIENT)
        if (isGone) gateway.hooks.config.hookBaseUrl = nowhere
        const use = await operations[operation](gateway)
        const { hooksClient } = gateway.server.app
        if (result === 'timeout') hooksClient.timeoutMs = HOOK_TIMEOUT_MS
        breakHook?.(gateway.hooks, operation)

        t.equal(await use(1), false)
        // The connection goes on with live messages no later than the pull fails: the count may follow.
        await until('the failure is counted by its kind', async () =>
          await gateway.metric('mics_hook_calls_total', { tenant: 't1', operation, result }) === 1)
        if (isGone) return

        hooksClient.timeoutMs = PATIENT.hookTimeoutMs
        gateway.hooks.raw.clear()
        t.equal(await use(2), true, 'and the next call is fine')
      })
    }
  })
}

t.test('a hook has 150 ms', async t => {
  t.equal(HOOK_TIMEOUT_MS, 150)
  const gateway = await startGateway(t)
  t.equal(gateway.server.app.hooksClient.timeoutMs, HOOK_TIMEOUT_MS)
})

t.test('an auth hook that says no is no failure: 4001 with its reason', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.auth = () => ({ ok: false, reason: 'subscription ended' })
  t.same(await TestClient.open(gateway.url).closed, { code: 4001, reason: 'subscription ended' })
  t.equal(await gateway.metric('mics_hook_calls_total', { operation: 'auth', result: 'denied' }), 1)
})

t.test('by default a message whose check failed is delivered and counted as degraded', async t => {
  const nowhere = await deadUrl()
  for (const { name, result, breakHook } of failures) {
    const gateway = await startGateway(t, {}, PATIENT)
    if (breakHook === undefined) gateway.hooks.config.hookBaseUrl = nowhere
    else breakHook(gateway.hooks, 'check-message')
    const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
    if (result === 'timeout') gateway.server.app.hooksClient.timeoutMs = HOOK_TIMEOUT_MS
    const ack = await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hello') })
    t.match(ack, { status: AckStatus.SENT, reason: '' }, name)
    t.equal(text((await bob.waitMessages(1))[0]), 'hello')
    t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 1)
  }
})

t.test('a group message whose check failed is delivered and counted once', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  gateway.hooks.raw.set('check-message', response => response.writeHead(500).end())
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  const ack = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' })
  t.equal(ack.status, AckStatus.SENT)
  await bob.waitMessages(1)
  t.equal(await gateway.metric('mics_check_message_degraded_total', { tenant: 't1' }), 1)
})

t.test('a message whose check is fine is not counted as degraded, nor one that the hook refused', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const alice = await gateway.connect('alice')
  await alice.sendAndAck({ toUserId: 'bob' })
  gateway.hooks.check = () => ({ allow: false, reason: 'spam' })
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: AckStatus.FAILED, reason: 'spam' })
  t.equal(await gateway.metric('mics_check_message_degraded_total'), 0)
})

t.test('offline messages that the hook refuses are skipped', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const use = await operations['get-offline-messages'](gateway)
  gateway.hooks.offline = () => ({ ok: false, reason: 'not now', messages: [{ msgId: 'x', msgBody: body('hidden') }] })
  t.equal(await use(1), false)
})
