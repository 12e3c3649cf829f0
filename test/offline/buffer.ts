import { GatewayMetrics } from '../../lib/metrics/gateway-metrics.js'
import { OfflineBuffer, type OfflineLimits } from '../../lib/offline/offline-buffer.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { aMessage } from '../helpers/message.js'
import { samplesOf } from '../helpers/samples.js'

export const NO_LIMITS: OfflineLimits = {
  maxMessagesPerUser: 1000,
  maxBytesPerUser: 1_000_000,
  maxUsersPerTenant: 1000,
  maxBytesPerTenant: 10_000_000,
  maxBytes: 100_000_000,
}

export interface EntryFields {
  seq: number
  bytes?: number
  ttlMs?: number
  tenantId?: string
  userId?: string
  deviceId?: string
  anyDeviceInstead?: boolean
}

export interface BufferSetup {
  buffer: OfflineBuffer
  clock: { time: number }
  /** Adds a message to bob of t1, but for the fields given. */
  add: (fields: EntryFields) => boolean
  /** Takes everything the device may have; returns the sequence numbers. */
  takeAll: (tenantId?: string, userId?: string, deviceId?: string) => number[]
  metric: (name: string, labels?: Record<string, string>) => number
}

/** A buffer whose time stands still until told otherwise. */
export function setup (limits: Partial<OfflineLimits> = {}): BufferSetup {
  const clock = { time: 1_000_000 }
  const metrics = new GatewayMetrics(100)
  metrics.close()
  const buffer = new OfflineBuffer({ ...NO_LIMITS, ...limits }, metrics, () => clock.time)
  return {
    buffer,
    clock,
    add: fields => buffer.add(entry(fields, clock.time)),
    takeAll: (tenantId = 't1', userId = 'bob', deviceId = 'd1') => {
      const taken: number[] = []
      const next = (): OfflineEntry | undefined => take(buffer, tenantId, userId, deviceId, () => false)
      for (let entry = next(); entry !== undefined; entry = next()) taken.push(entry.delivery.seq)
      return taken
    },
    metric: (name, labels = {}) => {
      return samplesOf(metrics, name)
        .filter(sample => Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted))
        .reduce((sum, { value }) => sum + value, 0)
    },
  }
}

export function entry (fields: EntryFields, now: number): OfflineEntry {
  const { seq, bytes = 10, ttlMs = 60_000, tenantId = 't1', userId = 'bob', deviceId = '', anyDeviceInstead = false } = fields
  const delivery = new Delivery(aMessage({ tenantId, toUserId: userId, msgId: `m${seq}`, msgBody: Buffer.alloc(bytes) }), seq)
  return { tenantId, userId, deviceId, anyDeviceInstead, delivery, expiresAt: now + ttlMs }
}

/** Takes out the next entry for a device, as a replay does. */
export function take (
  buffer: OfflineBuffer, tenantId: string, userId: string, deviceId: string, isOnline: (deviceId: string) => boolean
): OfflineEntry | undefined {
  const entry = buffer.peek(tenantId, userId, deviceId, isOnline)
  if (entry !== undefined) buffer.remove(entry)
  return entry
}
