import t, { type Test } from 'tap'
import type { CheckMessageCall, CheckMessagesCall, HookHandlerOptions } from '../../../sdk/hook-server/src/index.js'
import { createHookHandler } from '../../../sdk/hook-server/src/index.js'
import { AckStatus, body, text } from '../../helpers/client.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { listen } from './forms.js'

/** Messages that a connection has under way at once: beyond it the gateway stops reading. */
const INFLIGHT = 32

/** A gateway that makes no call unsigned, and a tenant of the SDK that switches batches on in its config. */
async function startTenant (t: Test, options: Partial<HookHandlerOptions>) {
  const failures: unknown[] = []
  const hooks = createHookHandler({
    secrets: 'the-secret',
    authenticate: ({ token }: { token: string }) =>
      ({ ok: true, userId: token.slice('valid:'.length), config: { checkBatchMaxMessages: 64 } }),
    onError: (error: unknown) => failures.push(error),
    ...options,
  } as HookHandlerOptions)
  const gateway = await startPatientGateway(t, {
    TENANT_AUTH_MAP: JSON.stringify({ t1: await listen(t, hooks.node) }),
    TENANT_HOOK_SECRETS: JSON.stringify({ t1: 'the-secret' }),
    HOOK_SIGN_REQUIRED: 'true',
    SESSION_MAX_INFLIGHT: String(INFLIGHT),
  })
  const count = (name: string, labels: string): number =>
    Number(new RegExp(`^mics_hook_server_${name}\\{${labels}\\} (\\d+)$`, 'm').exec(hooks.metrics())?.[1])
  return { ...gateway, hooks, failures, count }
}

t.test('a tenant with checkMessage alone switches batches on with one line of config', async t => {
  const senders = ['alice', 'carol', 'dave', 'erin']
  const checked: string[] = []
  const gateway = await startTenant(t, {
    checkMessage: async ({ message }: CheckMessageCall) => {
      checked.push(`${message.userId} ${message.text}`)
      // Not in the order in which they came.
      if (Number(message.text) % 2 === 0) await new Promise(resolve => setImmediate(resolve))
      return Number(message.text) % 3 === 0 ? { allow: false, reason: `not ${message.userId} ${message.text}` } : { allow: true }
    },
  })
  const bob = await gateway.connect('bob')
  const clients = await Promise.all(senders.map(async user => await gateway.connect(user)))
  const numbers = Array.from({ length: INFLIGHT }, (_, i) => i)
  const acks = await Promise.all(clients.map(async client =>
    await Promise.all(numbers.map(async i => await client.sendAndAck({ msgId: `m${i}`, toUserId: 'bob', msgBody: body(String(i)) })))))
  for (const [s, sender] of senders.entries()) {
    t.same(acks[s].map(({ status, reason }) => ({ status, reason })), numbers.map(i => i % 3 === 0
      ? { status: AckStatus.FAILED, reason: `not ${sender} ${i}` }
      : { status: AckStatus.SENT, reason: '' }), sender)
  }
  const allowed = numbers.filter(i => i % 3 !== 0)
  const delivered = await bob.waitMessages(senders.length * allowed.length)
  for (const sender of senders) {
    t.same(delivered.filter(({ userId }) => userId === sender).map(text), allowed.map(String), `${sender}, in order`)
  }
  t.equal(checked.length, senders.length * INFLIGHT, 'each is checked once')
  const calls = gateway.count('calls_total', 'operation="check-messages",outcome="ok"') +
    gateway.count('calls_total', 'operation="check-messages",outcome="denied"')
  t.ok(calls > 0 && calls < checked.length, `${calls} calls`)
  t.equal(gateway.count('checked_messages_total', 'operation="check-messages",verdict="allowed"'), delivered.length)
  t.equal(gateway.count('calls_total', 'operation="check-message",outcome="ok"'), 0)
  t.same(gateway.failures, [])
})

t.test('checkMessages answers for all of them', async t => {
  const sizes: number[] = []
  const gateway = await startTenant(t, {
    checkMessages: ({ messages }: CheckMessagesCall) => {
      sizes.push(messages.length)
      return messages.map(({ text }) => text === 'spam' ? { allow: false as const, reason: 'spam' } : { allow: true as const })
    },
  })
  const alice = await gateway.connect('alice')
  const texts = Array.from({ length: INFLIGHT }, (_, i) => i % 5 === 0 ? 'spam' : 'hello')
  const acks = await Promise.all(texts.map(async text => await alice.sendAndAck({ toUserId: 'bob', msgBody: body(text) })))
  t.same(acks.map(({ reason }) => reason), texts.map(text => text === 'spam' ? 'spam' : ''))
  t.equal(sizes.reduce((sum, size) => sum + size), INFLIGHT)
  t.ok(Math.max(...sizes) > 1, `calls about ${sizes.join(', ')} messages`)
})

t.test('a check that throws, and a wrong number of verdicts, leave it to the tenant\'s policy', async t => {
  for (const [isClosed, failing] of [
    [false, { checkMessage: () => { throw new Error('no database') } }],
    [true, { checkMessages: () => [] }],
  ] as const) {
    const gateway = await startTenant(t, {
      authenticate: () => ({ ok: true, userId: 'alice', config: { checkBatchMaxMessages: 2, checkMessageFailClosed: isClosed } }),
      ...failing,
    })
    const alice = await gateway.connect('alice')
    const ack = await alice.sendAndAck({ toUserId: 'bob' })
    t.match(ack, isClosed ? { status: AckStatus.FAILED, reason: 'check unavailable' } : { status: AckStatus.SENT })
    t.equal(gateway.failures.length, 1)
  }
})

t.test('the largest message and many small ones are checked together with others', async t => {
  const sizes: number[] = []
  const gateway = await startTenant(t, {
    checkMessage: ({ message }: CheckMessageCall) => {
      sizes.push(message.body.byteLength)
      return { allow: true }
    },
  })
  const alice = await gateway.connect('alice')
  const wanted = [1024 * 1024, ...Array.from({ length: 20 }, () => 60_000)]
  const acks = await Promise.all(wanted.map(async size => await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(size) })))
  t.same(new Set(acks.map(({ status }) => status)), new Set([AckStatus.SENT]))
  t.same(sizes.sort((a, b) => b - a), wanted)
  t.same(gateway.failures, [])
})
