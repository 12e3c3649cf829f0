import { once } from 'node:events'
import type { Test } from 'tap'
import { body, TestClient, type ClientOptions } from './client.js'
import type { TestGateway } from './gateway.js'
import { until } from './until.js'

/**
 * A client that is connected and reads nothing, not even its connect_ack, until `ws.resume()`. The kernel takes some
 * megabytes for it all the same. Closed when the test ends.
 */
export async function connectStalled (
  t: Test, gateway: TestGateway, user: string, options: ClientOptions = {}
): Promise<TestClient> {
  const { tenantId = 't1', deviceId = 'd1' } = options
  const before = gateway.server.app.connections.ofDevice(tenantId, user, deviceId)
  const client = TestClient.open(gateway.url, { token: `valid:${user}`, ...options })
  t.teardown(() => client.ws.terminate())
  client.ws.once('open', () => client.ws.pause())
  await once(client.ws, 'open')
  await until(`${user} is admitted`, () => {
    const now = gateway.server.app.connections.ofDevice(tenantId, user, deviceId)
    return now !== undefined && now !== before
  })
  return client
}

/** What waits in the gateway for a device: queued, or with its socket and not taken by the kernel. */
export function unsentBytes (gateway: TestGateway, user: string, deviceId = 'd1'): number {
  const session = gateway.server.app.connections.ofDevice('t1', user, deviceId)
  return (session as unknown as { outbound: { bytes: number } } | undefined)?.outbound.bytes ?? 0
}

/**
 * Sends to a stalled user until the kernel takes no more, and a little on: it may yet find room. Returns how many
 * messages that took; their ids are `fill0` and so on.
 */
export async function fillKernel (
  gateway: TestGateway, from: TestClient, user: string, bytes = 60_000, deviceId = 'd1'
): Promise<number> {
  for (let i = 0; ; i++) {
    await from.sendAndAck({ toUserId: user, msgId: `fill${i}`, msgBody: Buffer.concat([body(`fill${i} `)], bytes) })
    if (unsentBytes(gateway, user, deviceId) > 4 * bytes) return i + 1
  }
}
