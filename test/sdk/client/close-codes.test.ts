import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

t.test('a gateway that refuses the client ends it', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  for (const [options, closeCode, closeReason] of [
    [{ token: 'wrong' }, 4001, /invalid token/],
    [{ tenantId: 'nobody' }, 4002, /tenant/],
  ] as const) {
    const { client } = new SdkClient(t, { url, ...options })
    await t.rejects(client.connect(), { code: 'MICS_CONNECTION_ENDED', closeCode, closeReason, isPassing: false })
    t.match(client.state, { name: 'closed', code: closeCode, reason: closeReason })
    await t.rejects(client.send({ toUserId: 'bob', body: '' }), { code: 'MICS_CONNECTION_ENDED', closeCode })
    client.reconnect()
    t.equal(client.state.name, 'closed', 'only connect() leaves this state')
  }
})

t.test('a refusal that nobody waits for is no unhandled rejection', async t => {
  const gateway = await startPatientGateway(t)
  const alice = new SdkClient(t, { url: wsUrl(gateway.url), token: 'wrong' })
  alice.client.connect()
  await alice.untilState('closed')
})

for (const code of [1000, 1002, 1007, 1009, 4001, 4002, 4003, 4409]) {
  t.test(`after ${code} the client does not come back, until it is told to`, async t => {
    const gateway = await ScriptedGateway.start(t)
    const alice = new SdkClient(t, { url: gateway.url })
    const connected = alice.client.connect()
    const accepted = await gateway.letIn()
    await connected
    const sent = alice.client.send({ toUserId: 'bob', body: 'hi' })
    await accepted.untilMessages(1)
    accepted.socket.close(code, 'because')
    await t.rejects(sent, { code: 'MICS_CONNECTION_ENDED', closeCode: code, closeReason: 'because' })
    t.strictSame(alice.client.state, { name: 'closed', code, reason: 'because' })
    t.equal(alice.client.pending, 0)
    const again = alice.client.connect()
    await gateway.letIn()
    await again
    t.strictSame(alice.stateNames, ['connecting', 'connected', 'closed', 'connecting', 'connected'])
  })
}

for (const code of [1001, 1011, 1012, 3000, 4100, 4101, 4200, 4429, 4503, 4999]) {
  t.test(`after ${code} the client comes back`, async t => {
    const gateway = await ScriptedGateway.start(t)
    const alice = new SdkClient(t, { url: gateway.url })
    alice.client.connect()
    const accepted = await gateway.letIn()
    await alice.untilState('connected')
    accepted.socket.close(code, 'because')
    await gateway.letIn()
    await alice.until(() => alice.stateNames.length === 5)
    t.match(alice.states[2], { name: 'waiting', code, reason: 'because' })
    t.strictSame(alice.stateNames, ['connecting', 'connected', 'waiting', 'connecting', 'connected'])
  })
}
