import t from 'tap'
import { startGateway } from '../helpers/gateway.js'
import { RawClient, upgradeRequest, wsPath } from '../helpers/raw-client.js'
import { PATIENT, until } from '../helpers/until.js'

const GET = 'GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n'

t.test('an upgrade behind a request that is not answered yet leaves no socket open', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = await RawClient.connect(gateway.url)
  t.teardown(async () => await client.drop())
  client.write(GET + upgradeRequest(wsPath('bob')))
  await client.closed
  const { server } = gateway.server.app
  await until('the socket is gone', async () => await new Promise((resolve, reject) => {
    server.getConnections((error, count) => error ? reject(error) : resolve(count === 0))
  }))
  await gateway.connect('bob')
})

t.test('an upgrade behind one that has been answered is one like any other', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const client = await RawClient.connect(gateway.url)
  t.teardown(async () => await client.drop())
  client.write(GET)
  await client.receive('{"status":"ok"}')
  client.write(upgradeRequest(wsPath('bob')))
  await client.receive('101 Switching Protocols')
})
