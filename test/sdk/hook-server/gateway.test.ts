import t, { type Test } from 'tap'
import type { HookHandlerOptions } from '../../../sdk/hook-server/src/index.js'
import { AckStatus, body, MessageType, text } from '../../helpers/client.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { until } from '../../helpers/until.js'
import { forms, serveHooks, type Form } from './forms.js'

/** A gateway whose tenants t1 and t2 are served by the SDK, and which makes no call unsigned. */
async function startTenant (t: Test, form: Form, options: Partial<HookHandlerOptions> = {}) {
  const failures: unknown[] = []
  const url = await serveHooks(t, form, {
    secrets: 'the-secret',
    authenticate: ({ token }) => token.startsWith('valid:')
      ? { ok: true, userId: token.slice('valid:'.length) }
      : { ok: false, reason: 'no such token' },
    onError: error => failures.push(error),
    ...options,
  } as HookHandlerOptions)
  const gateway = await startPatientGateway(t, {
    TENANT_AUTH_MAP: JSON.stringify({ t1: url, t2: url }),
    TENANT_HOOK_SECRETS: JSON.stringify({ t1: 'the-secret', t2: 'another-secret' }),
    HOOK_SIGN_REQUIRED: 'true',
  })
  return { ...gateway, url, failures }
}

for (const form of forms) {
  t.test(`${form}: the gateway's four hooks get their answers`, async t => {
    const kept = {
      msgId: 'kept-1', userId: 'dave', deviceId: 'd9', toUserId: 'bob', body: 'while you were away', timestampMs: 1,
    }
    const calls: object[] = []
    const gateway = await startTenant(t, form, {
      basePath: '/mics/hooks',
      authenticate: call => {
        const { tenantId, token, deviceId, requestId, traceId, timestampMs, signal } = call
        calls.push({ tenantId, token, deviceId })
        t.ok(requestId !== '' && traceId !== '' && timestampMs > 0 && signal instanceof AbortSignal)
        return token === 'guest'
          ? { ok: false, reason: 'guests may not' }
          : { ok: true, userId: token, deviceId: `${deviceId}!`, config: { offlineUseHookPull: true } }
      },
      checkMessage: async ({ message }) => {
        if (message.text === 'spam') return { allow: false, reason: 'spam' }
        const { msgId, type, userId, deviceId, toUserId, groupId } = message
        calls.push({ msgId, type, userId, deviceId, toUserId, groupId, body: Buffer.from(message.body).toString() })
        return { allow: true }
      },
      getGroupMembers: ({ groupId }) => groupId === 'g1' ? ['alice', 'bob'] : [],
      getOfflineMessages: ({ userId, deviceId, maxMessages, cursor }) => {
        if (userId === 'bob') calls.push({ userId, deviceId, maxMessages, cursor })
        return userId === 'bob' && cursor === ''
          ? { messages: [kept], nextCursor: 'page 2' }
          : { messages: [] }
      },
    })
    const bob = await gateway.connect('bob', { token: 'bob', deviceId: 'phone' })
    t.equal((await bob.connectAck()).deviceId, 'phone!')
    const alice = await gateway.connect('alice', { token: 'alice', deviceId: 'web' })
    t.same((await bob.waitMessages(1)).map(text), ['while you were away'])

    t.equal((await alice.sendAndAck({ msgId: 'm1', toUserId: 'bob', msgBody: body('hello') })).status, AckStatus.SENT)
    const toGroup = { msgType: MessageType.GROUP_CHAT, msgId: 'm2', groupId: 'g1', msgBody: body('hello all') }
    t.equal((await alice.sendAndAck(toGroup)).status, AckStatus.SENT)
    t.same((await bob.waitMessages(3)).map(text), ['while you were away', 'hello', 'hello all'])
    t.match(await alice.sendAndAck({ msgId: 'm3', toUserId: 'bob', msgBody: body('spam') }),
      { status: AckStatus.FAILED, reason: 'spam' })
    t.match(await alice.sendAndAck({ ...toGroup, msgId: 'm4', groupId: 'nobody' }), { reason: 'group members empty' })
    const failed = await gateway.connect('guest', { token: 'guest' }).catch((error: Error) => error.message)
    t.match(failed, /4001 guests may not/)

    const isCalled = (wanted: object): boolean => calls.some(call => JSON.stringify(call) === JSON.stringify(wanted))
    const has = (wanted: object): void => { t.ok(isCalled(wanted), JSON.stringify(wanted)) }
    has({ tenantId: 't1', token: 'bob', deviceId: 'phone' })
    has({ userId: 'bob', deviceId: 'phone!', maxMessages: 100, cursor: '' })
    await until('the next page is asked for', () =>
      isCalled({ userId: 'bob', deviceId: 'phone!', maxMessages: 100, cursor: 'page 2' }))
    has({ msgId: 'm1', type: 'SINGLE_CHAT', userId: 'alice', deviceId: 'web!', toUserId: 'bob', groupId: '', body: 'hello' })
    has({ msgId: 'm2', type: 'GROUP_CHAT', userId: 'alice', deviceId: 'web!', toUserId: '', groupId: 'g1', body: 'hello all' })
    t.same(gateway.failures, [])
  })

  t.test(`${form}: a tenant with another secret is refused, and so are its clients`, async t => {
    const gateway = await startTenant(t, form, { logger: { warn () {}, error () {} } })
    await t.rejects(gateway.connect('alice', { tenantId: 't2' }), /4503/)
    await gateway.connect('alice')
  })

  t.test(`${form}: a message of the gateway's largest size is checked`, async t => {
    const sizes: number[] = []
    const gateway = await startTenant(t, form, {
      checkMessage: ({ message }) => {
        sizes.push(message.body.byteLength)
        return { allow: true }
      },
    })
    const alice = await gateway.connect('alice')
    const ack = await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.alloc(1024 * 1024) })
    t.equal(ack.status, AckStatus.SENT)
    t.same(sizes, [1024 * 1024])
  })
}
