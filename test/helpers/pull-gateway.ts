import { fromBinary, type MessageInitShape } from '@bufbuild/protobuf'
import type { Test } from 'tap'
import { GetOfflineMessagesRequestSchema, type GetOfflineMessagesRequest } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import type { MessageRequestSchema } from '../../lib/gen/mics/message/v1/message_pb.js'
import { body, type TestClient } from './client.js'
import type { startGateway, TestGateway } from './gateway.js'
import { startPatientGateway } from './patient-gateway.js'

/** A gateway whose tenants keep offline messages themselves. */
export async function pullGateway (
  t: Test, env: NodeJS.ProcessEnv = {}, start: typeof startGateway = startPatientGateway
): Promise<TestGateway> {
  const gateway = await start(t, env)
  gateway.hooks.config = { offlineUseHookPull: true }
  return gateway
}

/** What the tenant kept for bob: messages of dave's. */
export function stored (...msgIds: string[]): Array<MessageInitShape<typeof MessageRequestSchema>> {
  return msgIds.map(msgId =>
    ({ tenantId: 't1', userId: 'dave', deviceId: 'd1', msgId, toUserId: 'bob', msgBody: body(msgId), timestampMs: 1n }))
}

/** The pages that a user was asked for so far. */
export function pullsOf (gateway: TestGateway, userId: string): GetOfflineMessagesRequest[] {
  return gateway.hooks.callsOf('get-offline-messages')
    .map(({ body }) => fromBinary(GetOfflineMessagesRequestSchema, body))
    .filter(request => request.userId === userId)
}

/**
 * Gives live messages this many milliseconds to wait for the pulls that begin from now on. The calls may take longer:
 * they are asked for their time after the pull is.
 */
export function holdFor (gateway: TestGateway, holdMs: number): void {
  let isHold = false
  Object.defineProperty(gateway.server.app.hooksClient, 'timeoutMs', {
    get: () => {
      const timeoutMs = isHold ? holdMs : 10_000
      isHold = false
      return timeoutMs
    },
  })
  const { auth } = gateway.hooks
  gateway.hooks.auth = request => {
    isHold = true
    return auth(request)
  }
}

/** Something that a test lets go on when it is time. */
export class Latch {
  open = (): void => {}
  readonly opened: Promise<void> = new Promise(resolve => { this.open = resolve })
}

export function ids (client: TestClient): string[] {
  return client.messages.map(({ msgId }) => msgId)
}

export function numbered (prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}
