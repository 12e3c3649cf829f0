import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { Tabs } from './browser-tab.js'
import { wsUrl } from './sdk-client.js'

t.test('another tab takes the place of the first, which does not fight for it', async t => {
  const gateway = await startPatientGateway(t)
  const url = (): string => wsUrl(gateway.url)
  const tabs = await Tabs.start(t)
  const first = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1' })
  const second = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1' }, first.page.context())
  await first.connect()
  await second.connect()
  await first.until(() => first.state.name === 'closed')
  t.match(first.state, { code: 4409 })
  t.match(await first.send({ toUserId: 'bob', body: 'x' }), { code: 'MICS_CONNECTION_ENDED' })
  t.match(await second.send({ toUserId: 'bob', body: 'x' }), { status: 'SENT' })
  t.equal(second.times('connected'), 1)
  await first.connect()
  await second.until(() => second.state.name === 'closed')
  t.match(second.state, { code: 4409 }, 'and back, where a person wants it')
})

t.test('each connection has a fresh token; a refused one ends it until the page connects again', async t => {
  const gateway = await startPatientGateway(t)
  // As of a tenant whose tokens run out.
  let valid = 'token-1'
  gateway.hooks.auth = ({ token, deviceId }) => ({ ok: token === valid, userId: 'alice', deviceId, reason: 'expired' })
  const given: string[] = []
  let fresh = 'token-1'
  const token = (): string => {
    given.push(fresh)
    return fresh
  }
  const tabs = await Tabs.start(t)
  const alice = await tabs.open({ url: () => wsUrl(gateway.url), token, deviceId: 'd1' })
  await alice.connect()
  const cut = (): void => gateway.server.app.connections.ofDevice('t1', 'alice', 'd1')?.close(4100, 'heartbeat timeout')
  valid = fresh = 'token-2'
  cut()
  await alice.until(() => alice.times('connected') === 2)
  valid = 'token-3'
  cut()
  await alice.until(() => alice.state.name === 'closed')
  t.match(alice.state, { code: 4001, reason: 'expired' })
  fresh = 'token-3'
  await alice.connect()
  t.strictSame(given, ['token-1', 'token-2', 'token-2', 'token-3'])
})

t.test('4429: it tries until there is room, and what was written meanwhile goes out', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { userMaxConnections: 1 }
  const url = (): string => wsUrl(gateway.url)
  const tabs = await Tabs.start(t)
  const phone = await gateway.connect('alice', { deviceId: 'phone' })
  const bob = await gateway.connect('bob')
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', random: 0.1 })
  const connected = alice.connect()
  const answer = alice.send({ toUserId: 'bob', body: 'written outside' })
  await alice.until(() => alice.times('waiting') >= 2)
  for (const state of alice.states.filter(({ name }) => name === 'waiting')) t.match(state, { code: 4429, reason: /limit/ })
  await phone.close()
  await connected
  t.match(await answer, { status: 'SENT' })
  await bob.waitMessages(1)
})
