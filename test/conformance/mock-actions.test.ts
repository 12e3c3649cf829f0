import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { ServerFrameSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import type { Action, Rule } from '../../lib/mock-gateway/scenario.js'
import { startMockServer, type MockServer } from '../../routes/mock/mock-server.js'
import { fieldsIn } from '../../scripts/conformance/field-values.js'
import { TestClient } from '../helpers/client.js'
import { until } from '../helpers/until.js'
import { logOf, post } from './play.js'

async function startMock (t: Test, rules: Rule[]): Promise<MockServer> {
  const mock = await startMockServer({ host: '127.0.0.1', port: 0, scenario: { rules } })
  t.teardown(() => mock.close())
  return mock
}

function onMessage (action: Action): Rule[] {
  return [{ when: { event: 'message' }, do: action }]
}

t.test('drain closes all connections with 4200, on a message and on a connect', async t => {
  const mock = await startMock(t, [
    { when: { event: 'message', msgId: 'stop' }, do: { drain: true } },
    { when: { event: 'connect', userId: 'carol' }, do: { drain: true } },
  ])
  for (const cause of ['a message', 'a connect']) {
    const alice = await TestClient.connect(mock.url, 'alice')
    const bob = await TestClient.connect(mock.url, 'bob')
    const carol = cause === 'a message' ? undefined : TestClient.open(mock.url, { token: 'carol' })
    if (carol === undefined) alice.send({ msgId: 'stop', toUserId: 'bob' })
    for (const client of [alice, bob, carol]) {
      if (client !== undefined) t.match(await client.closed, { code: 4200 }, cause)
    }
  }
})

t.test('a silent connection stays open, and nothing that it hears is done', async t => {
  const mock = await startMock(t, onMessage({ silent: true }))
  const alice = await TestClient.connect(mock.url, 'alice')
  alice.send({ toUserId: 'bob' })
  alice.send({ toUserId: 'bob' })
  await until('it is silent', async () => (await logOf(mock.url)).some(({ what }) => what === 'silent'))
  await post(mock.url, 'deliver', { tenantId: 't1', from: 'bob', toUserId: 'alice', msgId: '1' })
  const log = await logOf(mock.url)
  t.notOk(log.some(({ what }) => ['ack', 'delivery', 'processed', 'closed'].includes(what)))
  t.equal(alice.ws.readyState, WebSocket.OPEN)
  alice.ws.terminate()
  const next = await TestClient.connect(mock.url, 'alice')
  t.match(await next.waitMessages(1), [{ msgId: '1' }], 'the next connection gets what it was not told')
})

t.test('a connect that is not answered stays without a connect_ack', async t => {
  const mock = await startMock(t, [{ when: { event: 'connect' }, do: { hang: 'connect_ack' } }])
  const alice = TestClient.open(mock.url)
  await new Promise(resolve => alice.ws.once('open', resolve))
  t.strictSame(mock.gateway.connections, [])
  t.strictSame((await logOf(mock.url)).map(({ what }) => what), ['connect'])
  alice.ws.terminate()
})

t.test('acks in another order keep that of each conversation', async t => {
  const mock = await startMock(t, onMessage({ answer: { reorder: { count: 8 } } }))
  const alice = await TestClient.connect(mock.url, 'alice')
  for (const msgId of ['1', '2', '3', '4']) for (const toUserId of ['bob', 'carol']) alice.send({ msgId: `${toUserId}-${msgId}`, toUserId })
  const acks = (await alice.waitAcks(8)).map(({ msgId }) => msgId)
  for (const user of ['bob', 'carol']) t.strictSame(acks.filter(id => id.startsWith(user)), [1, 2, 3, 4].map(n => `${user}-${n}`))
  t.not(acks.join(), [1, 2, 3, 4].flatMap(n => [`bob-${n}`, `carol-${n}`]).join())
})

t.test('acks in an illegal order do not', async t => {
  const mock = await startMock(t, onMessage({ answer: { reorder: { count: 4, illegal: true } } }))
  const alice = await TestClient.connect(mock.url, 'alice')
  for (const msgId of ['1', '2', '3', '4']) alice.send({ msgId, toUserId: 'bob' })
  const acks = (await alice.waitAcks(4)).map(({ msgId }) => msgId)
  t.strictSame([...acks].sort(), ['1', '2', '3', '4'])
  t.not(acks.join(''), '1234')
})

t.test('fewer answers than are to change places come all the same', async t => {
  const mock = await startMock(t, onMessage({ answer: { reorder: { count: 100 } } }))
  const alice = await TestClient.connect(mock.url, 'alice')
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { status: 0 })
})

t.test('a frame with unknown fields says the same as without, and extra frames come before and after', async t => {
  const mock = await startMock(t, onMessage({
    before: [{ hex: 'ca3e0568656c6c6f' }], answer: { unknownFields: true, copies: 2 }, after: [{ error: { code: 4400, message: 'x' } }],
  }))
  const frames: Buffer[] = []
  const alice = await TestClient.connect(mock.url, 'alice')
  alice.ws.on('message', (data: Buffer) => frames.push(data))
  alice.send({ msgId: 'm', toUserId: 'bob' })
  await alice.waitErrors(1)
  t.equal(frames[0].toString('hex'), 'ca3e0568656c6c6f')
  t.match(fieldsIn(ServerFrameSchema, frames[1]), { ack: { msg_id: 'm', offline_buffered_users: 1 } })
  t.ok(frames[1].includes(Buffer.from('da3e026869', 'hex')), 'a field 1003')
  t.ok(frames[1].equals(frames[2]))
  t.strictSame(fieldsIn(ServerFrameSchema, frames[3]), { error: { code: 4400, message: 'x' } })
})

t.test('a failed message leaves no trace: sent again it is new', async t => {
  const mock = await startMock(t, [{ when: { event: 'message' }, times: 1, do: { fail: { reason: 'tenant qps limited' } } }])
  const alice = await TestClient.connect(mock.url, 'alice')
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: 1, reason: 'tenant qps limited' })
  t.match(await alice.sendAndAck({ msgId: 'm', toUserId: 'bob' }), { status: 0, reason: '' })
})
