// What `helm test` runs: the gateway at GATEWAY_URL is ready, and upgrades a request for /ws to a WebSocket.
import { request } from 'node:http'
import process from 'node:process'

const gateway = process.env.GATEWAY_URL
const timeoutMs = 10_000

const ready = await fetch(new URL('/readyz', gateway), { signal: AbortSignal.timeout(timeoutMs) })
if (!ready.ok) fail(`/readyz answered ${ready.status}: ${await ready.text()}`)
console.log('/readyz: ready')

// Of a tenant that there is not: the gateway takes the upgrade first and says so afterwards.
const upgrade = request(new URL('/ws?tenantId=helm-test&deviceId=helm-test&token=none', gateway), {
  headers: {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'aGVsbS10ZXN0LWNoZWNrIQ==',
  },
  timeout: timeoutMs,
})
upgrade.on('upgrade', (_response, socket) => {
  socket.destroy()
  console.log('/ws: upgraded')
})
upgrade.on('response', ({ statusCode }) => fail(`/ws answered ${statusCode} and did not upgrade`))
upgrade.on('timeout', () => upgrade.destroy(new Error('no answer')))
upgrade.on('error', ({ message }) => fail(`/ws: ${message}`))
upgrade.end()

function fail (problem) {
  console.error(problem)
  process.exit(1)
}
