import t from 'tap'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
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
  t.strictSame(alice.stateNames, ['connecting', 'connected'])
  await alice.client.close()
  t.strictSame(alice.client.state, { name: 'offline' })
})
