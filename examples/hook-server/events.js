import { createEventConsumer } from '@mics/hook-server/events'

/**
 * Handles an event: keeps messages for users who are offline. Events come at least once, and one that comes again is
 * kept once. When it throws, the event is tried again.
 */
export function eventHandler (store, log) {
  return event => {
    // Who connects, and every message that is sent, comes here too: for statistics, push notifications, an archive.
    if (event.type !== 'OFFLINE_MESSAGE') return
    const { identity, toUserId: userId, message, messageBytes: bytes } = event
    const dropped = store.keep({ identity, userId, message, bytes })
    if (dropped > 0) log.warn({ userId, dropped }, 'too much is kept for this user: the oldest messages are gone')
  }
}

/** Reads the tenant's events from Kafka. Resolves when it does. */
export async function startConsumer ({ brokers, tenantId, secret, store, log }) {
  const consumer = createEventConsumer({
    brokers,
    groupId: `${tenantId}-backend`,
    tenantIds: tenantId,
    secrets: secret,
    handler: eventHandler(store, log),
    logger: log,
  })
  await consumer.start()
  return consumer
}
