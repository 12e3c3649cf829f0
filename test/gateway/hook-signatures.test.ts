import t from 'tap'
import { AckStatus, MessageType } from '../helpers/client.js'
import { SECRET, startGateway, type TestGateway } from '../helpers/gateway.js'
import { expectedSign, expectedSignatureHeader, type Operation } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'
import { PATIENT } from './hook-operations.js'

const all: Operation[] = ['auth', 'check-message', 'get-group-members', 'get-offline-messages']

/** Makes the gateway call each hook once for alice, and returns the trace id her connect_ack carried. */
async function callAll (gateway: TestGateway, tenantId: string): Promise<string> {
  gateway.hooks.config.offlineUseHookPull = true
  gateway.hooks.groups.set('g', ['alice', 'bob'])
  const alice = await gateway.connect('alice', { tenantId, deviceId: 'phone-ü' })
  await until('the offline messages were asked for', () => gateway.hooks.callsOf('get-offline-messages').length === 1)
  const { status } = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: Buffer.alloc(300, 1) })
  if (status !== AckStatus.SENT) throw new Error('the message was not sent')
  return (await alice.connectAck()).traceId
}

t.test('every call carries both signatures, and they verify', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  await callAll(gateway, 't1')
  t.same(gateway.hooks.calls.map(({ operation }) => operation).sort(), all)
  for (const call of gateway.hooks.calls) {
    t.equal(call.meta.sign, expectedSign(call, SECRET), call.operation)
    t.not(call.meta.sign, expectedSign(call, 'another secret'))
    t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, SECRET))
    t.equal(call.headers['x-mics-timestamp'], String(call.meta.timestampMs))
    t.equal(call.headers['content-type'], 'application/protobuf')
  }
})

t.test('every call says whose it is, with a fresh request id and the trace id of the connection', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const before = Date.now()
  const traceId = await callAll(gateway, 't1')
  const metas = gateway.hooks.calls.map(({ meta }) => meta)
  t.not(traceId, '')
  for (const meta of metas) {
    t.equal(meta.tenantId, 't1')
    t.equal(meta.traceId, traceId)
    t.ok(meta.timestampMs >= before && meta.timestampMs <= Date.now())
    t.not(meta.requestId, '')
  }
  t.equal(new Set(metas.map(({ requestId }) => requestId)).size, metas.length)
})

t.test('request ids stay unique over connections, tenants and gateways', async t => {
  const gateways = [await startGateway(t, {}, PATIENT), await startGateway(t, {}, PATIENT)]
  for (const gateway of gateways) {
    for (const tenantId of ['t1', 't2']) {
      const alice = await gateway.connect('alice', { tenantId })
      await Promise.all(Array.from({ length: 20 }, (_, n) => alice.sendAndAck({ toUserId: `user${n}` })))
    }
  }
  const ids = gateways.flatMap(({ hooks }) => hooks.calls.map(({ meta }) => meta.requestId))
  t.equal(ids.length, 2 * 2 * 21)
  t.equal(new Set(ids).size, ids.length)
})

t.test('two connections have two trace ids', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const [alice, bob] = await Promise.all([gateway.connect('alice'), gateway.connect('bob')])
  t.not((await alice.connectAck()).traceId, (await bob.connectAck()).traceId)
})

t.test('a secret from the auth hook signs the other hooks, the configured one stays for auth', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { tenantSecret: 'from the auth hook' }
  await callAll(gateway, 't1')
  t.equal(gateway.hooks.calls.length, 4)
  for (const call of gateway.hooks.calls) {
    const secret = call.operation === 'auth' ? SECRET : 'from the auth hook'
    t.equal(call.meta.sign, expectedSign(call, secret), call.operation)
    t.equal(call.headers['x-mics-signature'], expectedSignatureHeader(call, secret))
  }
})

t.test('a tenant without a configured secret is called unsigned until its auth hook gives one', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  gateway.hooks.config = { tenantSecret: 'from the auth hook' }
  await callAll(gateway, 't2')
  t.equal(gateway.hooks.calls.length, 4)
  for (const call of gateway.hooks.calls) {
    const isAuth = call.operation === 'auth'
    t.equal(call.meta.sign, isAuth ? '' : expectedSign(call, 'from the auth hook'), call.operation)
    t.equal('x-mics-signature' in call.headers, !isAuth)
    t.equal('x-mics-timestamp' in call.headers, !isAuth)
  }
})

t.test('a tenant without any secret is called unsigned', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  await callAll(gateway, 't2')
  for (const { meta, headers } of gateway.hooks.calls) {
    t.equal(meta.sign, '')
    t.notOk('x-mics-signature' in headers)
  }
})
