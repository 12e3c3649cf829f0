import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

t.test('a client connects, sends and receives', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  const alice = new SdkClient(t, { url })
  const bob = new SdkClient(t, { url, token: () => 'valid:bob' })
  t.match(await alice.client.connect(), { userId: 'alice', deviceId: 'd1', nodeId: 'node-1', traceId: /^[0-9a-f]{32}$/ })
  await bob.client.connect()
  t.match(await alice.client.send({ toUserId: 'bob', body: 'hé llo' }), { status: 'SENT', reason: '' })
  await bob.until(() => bob.messages.length === 1)
  t.match(bob.messages, [{ userId: 'alice', deviceId: 'd1', toUserId: 'bob', groupId: '', text: 'hé llo', isOwn: false }])
  t.strictSame(alice.states.slice(0, 1), [{ name: 'connecting', url }])
  t.match(alice.client.state, { name: 'connected', url, userId: 'alice' })
  t.strictSame(await alice.client.connect(), await alice.client.connect(), 'once connected it resolves at once')
  t.strictSame(alice.stateNames, ['connecting', 'connected'])
})

t.test('a connection names tenant and device in the query, and the token in a subprotocol', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { client } = new SdkClient(t, { url: `${gateway.url}/im/`, tenantId: 't 1', deviceId: 'd/é', token: 'kéy?' })
  client.connect()
  const accepted = await gateway.letIn()
  t.equal(accepted.url, '/im/ws?tenantId=t%201&deviceId=d%2F%C3%A9')
  t.equal(accepted.protocols, `mics.v1,mics.token.${Buffer.from('kéy?').toString('base64url')}`)
})

t.test('several urls take turns, one at each attempt', async t => {
  const gateways = [await ScriptedGateway.start(t), await ScriptedGateway.start(t)]
  const alice = new SdkClient(t, { url: gateways.map(({ url }) => url) })
  alice.client.connect()
  for (const index of [0, 1, 0]) {
    const accepted = await gateways[index].letIn()
    await alice.untilState('connected')
    accepted.socket.terminate()
    await alice.untilState('waiting')
  }
})

t.test('a function that gives the url is asked at each attempt, and again where it fails', async t => {
  const gateway = await ScriptedGateway.start(t)
  const answers: Array<() => Promise<string>> = [
    async () => { throw new Error('no config') },
    async () => 'http://here',
    async () => gateway.url,
  ]
  const alice = new SdkClient(t, { url: async () => await (answers.shift() ?? answers[0])() })
  alice.client.connect()
  await gateway.letIn()
  await alice.untilState('connected')
  t.match(alice.errors, [
    { code: 'MICS_URL_UNAVAILABLE', message: /no config/, isPassing: true },
    { code: 'MICS_URL_UNAVAILABLE', message: /must start with wss:\/\// },
  ])
  t.match(alice.states.slice(-3), [{ name: 'connecting', url: '' }, { name: 'connecting', url: gateway.url }, { name: 'connected' }])
})

t.test('a gateway that is not there is tried again until it is', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: ['ws://127.0.0.1:1', gateway.url] })
  const connected = alice.client.connect()
  await gateway.letIn()
  t.match(await connected, { userId: 'alice' })
  t.match(alice.states[1], { name: 'waiting', code: 1006, reason: /ECONNREFUSED|bad port/ })
})

t.test('what is no gateway, and one that does not answer, are left', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, connectTimeoutMs: 200 })
  alice.client.connect()
  await gateway.next()
  await alice.untilState('waiting')
  t.match(alice.client.state, { code: 1006, reason: 'no connect_ack within 200 ms' })
  const other = new SdkClient(t, { url: gateway.url })
  other.client.connect()
  const strange = await gateway.next()
  strange.socket.send('hello')
  await other.untilState('waiting')
  t.match(other.states[1], { code: 1006, reason: 'it is no gateway' })
  t.match(other.errors, [{ code: 'MICS_PROTOCOL_ERROR' }])
})

t.test('each failure doubles the wait, and a connection ends that', async t => {
  const now = Date.now
  Date.now = () => 1_000_000
  t.teardown(() => { Date.now = now })
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url, random: () => 0.01 })
  alice.client.connect()
  for (let i = 0; i < 3; i++) (await gateway.next()).socket.close(4503)
  ;(await gateway.letIn()).socket.close(4503)
  await gateway.next()
  const waits = alice.states.flatMap(state => state.name === 'waiting' ? [state.retryAt - 1_000_000] : [])
  t.strictSame(waits, [10, 20, 40, 10])
})
