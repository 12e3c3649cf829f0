import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { TcpProxy } from '../../cluster/tcp-proxy.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

const ids = ['a', 'b', 'c', 'd', 'e', 'f']

t.test('after a cut, what was on its way goes again one at a time, and then what is new', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, maxInFlight: 4 })
  alice.client.connect()
  const first = await gateway.letIn()
  const sent = ids.map(async msgId => await alice.client.send({ toUserId: 'bob', body: msgId, msgId }))
  await first.untilMessages(4)
  first.ack('b')
  await alice.until(() => alice.acks.length === 1)
  await first.untilMessages(5)
  first.socket.terminate()

  const second = await gateway.letIn()
  await second.untilMessages(1)
  second.socket.terminate()
  const third = await gateway.letIn()
  for (const [i, msgId] of ['a', 'c', 'd', 'e'].entries()) {
    await third.untilMessages(i + 1)
    t.equal(third.messages.length, i + 1)
    third.ack(msgId)
  }
  await third.untilMessages(5)
  third.ack('f')
  await Promise.all(sent)
  t.strictSame(third.messages.map(({ msgId }) => msgId), ['a', 'c', 'd', 'e', 'f'])
  t.strictSame(third.messages.slice(0, 3).map(({ timestampMs }) => timestampMs),
    [0, 2, 3].map(i => first.messages[i].timestampMs), 'the same content')
})

t.test('after the last of them is answered, several are on their way at once again', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, maxInFlight: 4 })
  alice.client.connect()
  const first = await gateway.letIn()
  const sent = ids.map(async msgId => await alice.client.send({ toUserId: 'bob', body: msgId, msgId }))
  await first.untilMessages(4)
  for (const msgId of ['a', 'b', 'c']) first.ack(msgId)
  await first.untilMessages(6)
  for (const msgId of ['d', 'e']) first.ack(msgId)
  await alice.until(() => alice.acks.length === 5)
  first.socket.terminate()
  await alice.until(() => alice.stateNames.includes('waiting'))
  const more = ['g', 'h', 'i', 'j'].map(async msgId => await alice.client.send({ toUserId: 'bob', body: msgId, msgId }))
  const second = await gateway.letIn()
  await second.untilMessages(1)
  second.ack('f')
  await second.untilMessages(5)
  for (const msgId of ['g', 'h', 'i', 'j']) second.ack(msgId)
  await Promise.all([...sent, ...more])
})

t.test('a repeat that is given up lets the next one go', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const first = await gateway.letIn()
  const controller = new AbortController()
  const givenUp = alice.client.send({ toUserId: 'bob', body: '', msgId: 'a' }, { signal: controller.signal })
  const sent = alice.client.send({ toUserId: 'bob', body: '', msgId: 'b' })
  await first.untilMessages(2)
  first.socket.terminate()
  const second = await gateway.letIn()
  await second.untilMessages(1)
  controller.abort()
  await t.rejects(givenUp, { name: 'AbortError' })
  await second.untilMessages(2)
  second.ack('b')
  await sent
})

t.test('what the gateway had taken before the cut is not delivered again', async t => {
  const gateway = await startPatientGateway(t)
  const proxy = await TcpProxy.start(() => Number(new URL(gateway.url).port))
  t.teardown(async () => await proxy.close())
  const alice = new SdkClient(t, { url: `ws://127.0.0.1:${proxy.port}` })
  const bob = new SdkClient(t, { url: wsUrl(gateway.url), token: 'valid:bob' })
  await Promise.all([alice.client.connect(), bob.client.connect()])
  // The message is taken, and its ack never comes.
  gateway.hooks.check = async () => {
    if (gateway.hooks.callsOf('check-message').length === 1) proxy.sever()
    return { allow: true }
  }
  const ack = await alice.client.send({ toUserId: 'bob', body: 'once' })
  t.match(ack, { status: 'SENT' })
  t.ok(alice.stateNames.includes('waiting'))
  await alice.client.send({ toUserId: 'bob', body: 'last' })
  await bob.until(() => bob.texts.includes('last'))
  t.strictSame(bob.texts, ['once', 'last'])
  t.strictSame(bob.repeats, [])
})

t.test('reconnect() leaves one gateway for another, and nothing is sent twice that was answered', async t => {
  const gateways = [await ScriptedGateway.start(t), await ScriptedGateway.start(t)]
  let index = 0
  const alice = new SdkClient(t, { url: () => gateways[index].url })
  alice.client.connect()
  const first = await gateways[0].letIn()
  const sent = alice.client.send({ toUserId: 'bob', body: '', msgId: 'a' })
  await first.untilMessages(1)
  // It answers while the client leaves.
  first.socket.pause()
  index = 1
  alice.client.reconnect()
  t.equal(alice.client.state.name, 'connecting')
  first.ack('a')
  first.deliver({ msgId: 'late' })
  t.match(await sent, { status: 'SENT' })
  const other = new SdkClient(t, { url: gateways[1].url, deviceId: 'other' })
  other.client.connect()
  t.match((await gateways[1].letIn()).url, /other/, 'before it has left it does not connect')
  first.socket.resume()
  const second = await gateways[1].letIn()
  await alice.untilState('connected')
  t.match(alice.messages, [{ msgId: 'late' }])
  alice.client.send({ toUserId: 'bob', body: '', msgId: 'b' }).catch(() => {})
  await second.untilMessages(1)
  t.strictSame(second.messages.map(({ msgId }) => msgId), ['b'])
})
