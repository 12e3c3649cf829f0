import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { create, toBinary } from '@bufbuild/protobuf'
import {
  AuthResponseSchema, CheckMessageResponseSchema, CheckMessagesResponseSchema, GetGroupMembersResponseSchema,
  GetOfflineMessagesResponseSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { AckStatus, body, MessageType, text } from '../helpers/client.js'
import type { TestGateway } from '../helpers/gateway.js'
import type { HookServer, Operation } from '../helpers/hook-server.js'

/** Makes the gateway call a hook for the nth time; resolves to whether its clients find that the hook answered. */
export type UseHook = (n: number) => Promise<boolean>

/** For tests in which no hook is slow: a stall of a busy machine must not look like one. */
export const PATIENT = { hookTimeoutMs: 10_000 }

const group = { msgType: MessageType.GROUP_CHAT }

/**
 * For each hook: what makes the gateway call it exactly once, and what clients see of it. To tell the outcome from
 * the ack, a message whose check failed is refused here; that failures are let pass by default has tests of its own.
 */
export const operations: Record<Operation, (gateway: TestGateway) => Promise<UseHook>> = {
  auth: async gateway => async n => {
    try {
      await gateway.connect(`user${n}`)
      return true
    } catch (error) {
      if (/closed first: 4503/.test((error as Error).message)) return false
      throw error
    }
  },

  'check-message': async gateway => {
    gateway.hooks.config.checkMessageFailClosed = true
    const alice = await gateway.connect('alice')
    return async n => {
      const { status, reason } = await alice.sendAndAck({ toUserId: `user${n}` })
      return sentUnless('check unavailable', status, reason)
    }
  },

  'check-messages': async gateway => {
    gateway.hooks.config.checkBatchMaxMessages = 16
    return operations['check-message'](gateway)
  },

  'get-group-members': async gateway => {
    gateway.hooks.config.checkMessageDisabled = true
    gateway.hooks.members = () => ({ userIds: ['bob'] })
    const alice = await gateway.connect('alice')
    return async n => {
      const { status, reason } = await alice.sendAndAck({ ...group, groupId: `g${n}` })
      return sentUnless('group members unavailable', status, reason)
    }
  },

  'get-offline-messages': async gateway => {
    const { hooks } = gateway
    hooks.config.checkMessageDisabled = true
    // Only those who are tested pull, so that each use is one call.
    hooks.auth = ({ token, deviceId }) => {
      const userId = token.slice('valid:'.length)
      const offlineUseHookPull = userId.startsWith('user')
      return { ok: true, userId, deviceId, config: { ...hooks.config as object, offlineUseHookPull } }
    }
    hooks.offline = () => ({ ok: true, messages: [{ userId: 'carol', msgId: 'kept', msgBody: body('kept by the tenant') }] })
    const alice = await gateway.connect('alice')
    return async n => {
      await alice.sendAndAck({ toUserId: `user${n}`, msgBody: body('kept by the gateway') })
      const client = await gateway.connect(`user${n}`)
      // What the tenant kept comes first. Where it cannot be had, the connection goes on with what follows.
      const [first] = await client.waitMessages(1)
      return text(first) === 'kept by the tenant'
    }
  },
}

function sentUnless (reasonOfFailure: string, status: AckStatus, reason: string): boolean {
  if (status === AckStatus.SENT) return true
  if (reason !== reasonOfFailure) throw new Error(`FAILED for another reason: ${reason}`)
  return false
}

const good: Record<Operation, () => Uint8Array> = {
  auth: () => toBinary(AuthResponseSchema, create(AuthResponseSchema, { ok: true, userId: 'user' })),
  'check-message': () => toBinary(CheckMessageResponseSchema, create(CheckMessageResponseSchema, { allow: true })),
  'check-messages': () => toBinary(CheckMessagesResponseSchema,
    create(CheckMessagesResponseSchema, { verdicts: [{ allow: true }] })),
  'get-group-members': () =>
    toBinary(GetGroupMembersResponseSchema, create(GetGroupMembersResponseSchema, { userIds: ['bob'] })),
  'get-offline-messages': () => toBinary(GetOfflineMessagesResponseSchema, create(GetOfflineMessagesResponseSchema, {
    ok: true, messages: [{ userId: 'carol', msgId: 'kept', msgBody: body('kept by the tenant') }],
  })),
}

/** The next call of this hook waits: `arrived` resolves when it is there, `answer` gives it a good answer. */
export function holdNext (hooks: HookServer, operation: Operation): { arrived: Promise<void>, answer: () => void } {
  let held: ServerResponse | undefined
  const arrived = new Promise<void>(resolve => {
    hooks.raw.set(operation, response => {
      hooks.raw.delete(operation)
      held = response
      resolve()
    })
  })
  return { arrived, answer: () => held?.end(good[operation]()) }
}

/** A URL where nobody listens. */
export async function deadUrl (): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}
