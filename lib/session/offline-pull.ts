import type { TenantSettings } from '../config/gateway-config.js'
import type { MessageRequest } from '../gen/mics/message/v1/message_pb.js'
import type { HooksClient } from '../hooks/hooks-client.js'

const PAGE_SIZE = 100
const MAX_PAGES = 10

export type OfflinePullHooks = Pick<HooksClient, 'getOfflineMessages' | 'timeoutMs'>

/**
 * What the tenant kept for a user, page by page, in its order. Ends early, without an error, when a call fails or says
 * no, or when the cursor does not move on.
 */
export async function * pullOfflineMessages (
  hooks: OfflinePullHooks, settings: TenantSettings,
  who: { tenantId: string, userId: string, deviceId: string, traceId: string }
): AsyncGenerator<MessageRequest> {
  let cursor = ''
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await hooks.getOfflineMessages(settings, who.tenantId,
      { userId: who.userId, deviceId: who.deviceId, maxMessages: PAGE_SIZE, cursor }, who.traceId)
    if (!result.ok || !result.value.ok) return
    const { messages, nextCursor, hasMore } = result.value
    yield * messages.slice(0, PAGE_SIZE)
    if (!hasMore || nextCursor === '' || nextCursor === cursor) return
    cursor = nextCursor
  }
}
