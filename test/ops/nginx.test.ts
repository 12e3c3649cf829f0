import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { loadConfig } from '../../lib/config/load-config.js'
import { TestClient } from '../helpers/client.js'
import { freePort } from '../helpers/free-port.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { readDocument, section } from '../helpers/markdown.js'
import { withNginx } from '../helpers/nginx-server.js'
import { PATIENT } from '../helpers/until.js'

const hostOf = ({ url }: TestGateway): string => new URL(url).host

/** A gateway that is stopping, as far as nginx sees it: it refuses all that come, and counts them. */
async function refusing (t: Test): Promise<{ host: string, refused: IncomingHttpHeaders[] }> {
  const refused: IncomingHttpHeaders[] = []
  const server: Server = createServer()
  server.on('upgrade', ({ headers }, socket) => {
    refused.push(headers)
    socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, refused }
}

async function connect (t: Test, url: string, user: string): Promise<TestClient> {
  const client = TestClient.open(url, { token: `valid:${user}` })
  t.teardown(() => client.ws.terminate())
  await client.connectAck()
  return client
}

t.test('clients come through it to the gateway, and nothing else does but whether one is there', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const nginx = await withNginx(t, [hostOf(gateway)])
  const alice = await connect(t, nginx.url, 'alice')
  const bob = await connect(t, nginx.url, 'bob')
  await alice.sendAndAck({ toUserId: 'bob' })
  t.equal((await bob.waitMessages(1)).length, 1)

  t.equal((await fetch(`${nginx.url}/healthz`)).status, 200)
  for (const path of ['/metrics', '/readyz', '/', '/ws/', '/healthz/']) {
    t.equal((await fetch(nginx.url + path)).status, 404, path)
  }
  t.notMatch(nginx.log, /valid:/, 'no token is in its log')
})

t.test('a client is led past gateways that are gone or stopping, and does not notice', async t => {
  const gateway = await startGateway(t, {}, PATIENT)
  const stopping = await refusing(t)
  const nginx = await withNginx(t, [`127.0.0.1:${await freePort()}`, stopping.host, hostOf(gateway)])
  for (let i = 0; i < 6; i++) await connect(t, nginx.url, `user${i}`)
  t.not(stopping.refused.length, 0, 'the one that is stopping was asked')
  t.match(stopping.refused[0], { upgrade: 'websocket', connection: 'upgrade', 'x-real-ip': '127.0.0.1' })
})

t.test('the address that a gateway is told is the client\'s own, whatever the client says', async t => {
  const stopping = await refusing(t)
  const nginx = await withNginx(t, [stopping.host])
  const ws = new WebSocket(`${nginx.url}/ws`, { headers: { 'x-forwarded-for': '192.0.2.1', 'x-real-ip': '192.0.2.1' } })
  const [{ message }] = await once(ws, 'error')
  t.match(message, /503/)
  const { 'x-forwarded-for': forwardedFor, 'x-real-ip': realIp } = stopping.refused[0]
  t.strictSame({ forwardedFor, realIp }, { forwardedFor: '127.0.0.1', realIp: '127.0.0.1' })
})

t.test('connections stay where they are when it is led elsewhere', async t => {
  const [former, next] = [await startGateway(t, {}, PATIENT), await startGateway(t, {}, PATIENT)]
  const nginx = await withNginx(t, [hostOf(former)])
  const alice = await connect(t, nginx.url, 'alice')
  await nginx.leadTo([hostOf(next)])
  const bob = await connect(t, nginx.url, 'bob')
  await bob.sendAndAck({ toUserId: 'bob' })
  await alice.roundTrip()
  t.equal(former.hooks.callsOf('auth').length, 1)
  t.equal(next.hooks.callsOf('auth').length, 1)
})

t.test('it waits for longer than a gateway leaves between two pings', async t => {
  const timeouts = [...readDocument('deploy/nginx/nginx.conf').matchAll(/proxy_(?:read|send)_timeout (\d+)s;/g)]
  t.equal(timeouts.length, 2)
  const { wsKeepaliveIntervalSeconds } = loadConfig({ TENANT_AUTH_MAP: 't1=http://hooks' })
  for (const [, seconds] of timeouts) t.ok(Number(seconds) > 2 * wsKeepaliveIntervalSeconds, seconds)
})

t.test('docs/operations.md shows what it does with /ws', async t => {
  const directives = (text: string): string[] =>
    text.split('\n').map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
  const [, shipped] = /location = \/ws \{\n([^}]*)\}/.exec(readDocument('deploy/nginx/nginx.conf')) ?? []
  const [, shown] = /location = \/ws \{\n([^}]*)\}/.exec(section(readDocument('docs/operations.md'), 'TLS and proxies')) ?? []
  t.not(directives(shipped).length, 0)
  t.same(directives(shown), directives(shipped))
})
