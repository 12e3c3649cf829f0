import type { Connections } from '../connections/connections.js'
import { noteHanded } from '../message-trace/note.js'
import type { Delivery } from './delivery.js'

/**
 * Hands a message to the user's devices on this node, but never to the device it came from. Returns how many got it.
 * @param isElsewhere whether the user gets it on another node too
 */
export function toLocalDevices (
  connections: Connections, delivery: Delivery, userId: string, isElsewhere: boolean
): number {
  const { tenantId, userId: senderId, deviceId } = delivery.message
  const sessions = connections.ofUser(tenantId, userId)
  const isSender = userId === senderId
  // The device that a message came from has it, even where it is no longer connected.
  const isShared = isElsewhere || sessions.length > 1 || isSender
  let devices = 0
  for (const session of sessions) {
    if (isSender && session.deviceId === deviceId) continue
    // Before it is: what the session makes of it comes after.
    noteHanded(delivery.message, userId, session.deviceId)
    session.deliver(delivery, isShared)
    devices++
  }
  if (devices > 0) {
    sessions[0].metrics.deliveries.add('local', devices)
    delivery.message.span?.delivered(devices)
  }
  return devices
}
