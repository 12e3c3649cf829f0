import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { until } from '../../helpers/until.js'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient, wsUrl } from './sdk-client.js'

t.test('each attempt has a fresh token; once refused, nobody is asked until connect()', async t => {
  const gateway = await startPatientGateway(t)
  // As of a tenant whose tokens are good for one connection.
  const known = ['first', 'second', 'fourth']
  gateway.hooks.auth = ({ token, deviceId }) => ({ ok: token === known.shift(), userId: 'alice', deviceId, reason: 'expired' })
  const tokens = ['first', 'second', 'third', 'fourth']
  let asked = 0
  const alice = new SdkClient(t, { url: wsUrl(gateway.url), token: async () => tokens[asked++] })
  await alice.client.connect()
  const cut = (): void => gateway.server.app.connections.ofDevice('t1', 'alice', 'd1')?.close(4100, 'heartbeat timeout')
  cut()
  await alice.until(() => alice.stateNames.filter(name => name === 'connected').length === 2)
  t.equal(asked, 2)
  known.unshift('another')
  cut()
  await alice.untilState('closed')
  t.match(alice.client.state, { code: 4001, reason: 'expired' })
  t.equal(asked, 3)
  await alice.client.connect()
  t.equal(asked, 4)
})

t.test('a provider that fails is asked again, and the app is told', async t => {
  const gateway = await startPatientGateway(t)
  const answers: Array<() => string> = [
    () => { throw new Error('no network') },
    () => '',
    () => undefined as unknown as string,
    () => 'valid:alice',
  ]
  const alice = new SdkClient(t, { url: wsUrl(gateway.url), token: () => (answers.shift() as () => string)() })
  await alice.client.connect()
  t.match(alice.errors, [
    { code: 'MICS_TOKEN_UNAVAILABLE', message: /no network/, cause: { message: 'no network' }, isPassing: true },
    { code: 'MICS_TOKEN_UNAVAILABLE', message: /not empty/ },
    { code: 'MICS_TOKEN_UNAVAILABLE' },
  ])
  t.match(alice.states[1], { name: 'waiting', code: 1006, reason: /token provider failed: no network/ })
})

t.test('a token that comes after close() opens no connection', async t => {
  const gateway = await ScriptedGateway.start(t)
  const give: Array<(token: string) => void> = []
  const token = async (): Promise<string> => await new Promise(resolve => give.push(resolve))
  const alice = new SdkClient(t, { url: gateway.url, token })
  const never = alice.client.connect()
  await until('the token is asked for', () => give.length === 1)
  await alice.client.close()
  await t.rejects(never, { code: 'MICS_CLIENT_CLOSED' })
  const connected = alice.client.connect()
  await until('it is asked for again', () => give.length === 2)
  for (const answer of give) answer('late')
  await gateway.letIn()
  await connected
  t.strictSame(alice.stateNames, ['connecting', 'offline', 'connecting', 'connected'])
  t.equal(gateway.waiting, 0, 'the first token brought no connection')
})

t.test('4429: it waits for room, and comes in when there is some', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { userMaxConnections: 1 }
  const url = wsUrl(gateway.url)
  const phone = new SdkClient(t, { url })
  await phone.client.connect()
  const tablet = new SdkClient(t, { url, deviceId: 'd2', random: () => 0.1 })
  const connected = tablet.client.connect()
  await tablet.until(() => tablet.stateNames.filter(name => name === 'waiting').length === 2)
  t.match(tablet.states[1], { name: 'waiting', code: 4429, reason: /limit/ })
  await phone.client.close()
  t.match(await connected, { deviceId: 'd2' })
})

t.test('a second client with the same device takes the place of the first, which does not fight for it', async t => {
  const gateway = await startPatientGateway(t)
  const url = wsUrl(gateway.url)
  const first = new SdkClient(t, { url })
  await first.client.connect()
  const second = new SdkClient(t, { url })
  await second.client.connect()
  await first.untilState('closed')
  t.match(first.client.state, { code: 4409 })
  t.equal(second.client.state.name, 'connected')
})
