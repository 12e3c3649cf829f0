import t from 'tap'
import { MicsClient, type MicsClientOptions } from '../../../sdk/client/src/node.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

const options = { url: 'ws://localhost:8080', tenantId: 't1', deviceId: 'd1', token: 'x' }

t.test('an option that cannot be used is named', async t => {
  for (const [name, values] of Object.entries({
    url: [undefined, '', 'localhost', 'https://here', 'wss://', 'wss://here?token=x', 'ws://here/#x', [], [7]],
    tenantId: [undefined, ''],
    deviceId: [undefined, '', 7],
    token: [undefined, '', 7],
    heartbeatTimeoutMs: [0, -1, 1.5, '1000', Infinity, 2 ** 31],
    connectTimeoutMs: [0, Infinity],
    sendTimeoutMs: [0, NaN, 2 ** 31],
    maxInFlight: [0, 1.5],
    outboxMaxMessages: [0],
    outboxMaxBytes: [-1],
    maxBodyBytes: [0],
    random: [7],
    encryption: [{}],
    transport: [{}],
  })) {
    for (const value of values) {
      t.throws(() => new MicsClient({ ...options, [name]: value } as unknown as MicsClientOptions),
        { name: 'MicsError', code: 'MICS_INVALID_ARGUMENT', message: new RegExp(`^${name} must`) }, `${name}: ${String(value)}`)
    }
  }
  const client = new MicsClient({ ...options, sendTimeoutMs: Infinity, transport: undefined })
  t.strictSame(client.state, { name: 'offline' })
  t.equal(client.pending, 0)
})

t.test('a signal ends the client, and keeps it ended', async t => {
  const gateway = await ScriptedGateway.start(t)
  const controller = new AbortController()
  const alice = new SdkClient(t, { url: gateway.url, signal: controller.signal })
  alice.client.connect()
  const accepted = await gateway.letIn()
  await alice.untilState('connected')
  const sent = alice.client.send({ toUserId: 'bob', body: '' })
  controller.abort()
  await t.rejects(sent, { code: 'MICS_CLIENT_CLOSED' })
  t.equal(await accepted.closed, 1000)
  await t.rejects(alice.client.connect(), { code: 'MICS_CLIENT_CLOSED' })
  t.strictSame(alice.client.state, { name: 'offline' })
})

t.test('a client that was told nothing but to listen keeps nothing', async t => {
  const controller = new AbortController()
  const { client } = new SdkClient(t, { url: 'ws://127.0.0.1:1', signal: controller.signal })
  client.reconnect()
  await client.close()
  t.strictSame(client.state, { name: 'offline' })
})
