import type { FastifyInstance } from 'fastify'
import type { TenantConfig } from '../../lib/config/gateway-config.js'
import { hookServer } from '../../sdk/hook-server/src/fastify.js'
import type { Operation, Signing } from '../../sdk/hook-server/src/index.js'
import { DemoGroups } from './demo-groups.js'

export const demoTenantId = 'demo'
export const demoSecret = 'demo-secret'

/** The tenant of the demo page; `authUrl` is where its hooks are served: see startHookMock. */
export function demoTenant (authUrl: string): TenantConfig {
  return { id: demoTenantId, authUrl, secret: demoSecret }
}

/** One answered call, for people to read: it never holds a token or a message body. */
export interface AnsweredHook {
  operation: Operation
  tenantId: string
  /** Whom or what it was about. */
  about: string
  answer: string
}

export interface DemoHooksOptions {
  /** Calls must be signed with one of these. Empty: signatures are not looked at. */
  secrets: readonly string[]
  groups: DemoGroups
  onAnswered?: (call: AnsweredHook) => void
}

// A message of the default 1 MiB, and a tenant who raised MAX_MESSAGE_BYTES a little.
const maxBodyBytes = 4 * 1024 * 1024

const validToken = /^valid:([A-Za-z0-9_.@-]{1,64})$/

/** A tenant's server in miniature: the four hooks, with answers that let a person try every outcome. */
export async function demoHooks (
  app: FastifyInstance, { secrets, groups, onAnswered = () => {} }: DemoHooksOptions
): Promise<void> {
  const signing: Signing = secrets.length === 0 ? { allowUnsigned: true } : { secrets }
  await app.register(hookServer, {
    ...signing,
    maxBodyBytes,
    onRefused: ({ operation, tenantId = '', status, reason }) => {
      const answer = `${status} ${reason.replaceAll('_', ' ')}`
      if (operation !== undefined) onAnswered({ operation, tenantId, about: '', answer })
    },

    authenticate: ({ tenantId, token, deviceId }) => {
      const told = { operation: 'auth', tenantId } as const
      const userId = validToken.exec(token)?.[1]
      if (userId === undefined) {
        const reason = 'invalid token: use valid:<name>'
        onAnswered({ ...told, about: `device ${deviceId}`, answer: `refused, ${reason}` })
        return { ok: false, reason }
      }
      groups.join(userId)
      onAnswered({ ...told, about: `user ${userId}, device ${deviceId}`, answer: 'ok' })
      const config = {
        heartbeatTimeoutSeconds: 30,
        offlineBufferTtlSeconds: 300,
        tenantMaxConnections: 1000,
        userMaxConnections: 20,
        tenantMaxMessageQps: 1000,
      }
      return { ok: true, userId, deviceId, config }
    },

    checkMessage: ({ tenantId, message: { userId, toUserId, groupId, body } }) => {
      const about = `user ${userId} to ${groupId === '' ? `user ${toUserId}` : `group ${groupId}`}`
      // One word is refused so that a person can see what a FAILED ack looks like.
      const allow = !Buffer.from(body).includes('forbidden')
      onAnswered({ operation: 'check-message', tenantId, about, answer: allow ? 'allowed' : 'refused, forbidden word' })
      return allow ? { allow } : { allow, reason: 'forbidden word' }
    },

    getGroupMembers: ({ tenantId, groupId }) => {
      const members = groups.members(groupId)
      const answer = `${members.length} members`
      onAnswered({ operation: 'get-group-members', tenantId, about: `group ${groupId}`, answer })
      return members
    },

    // The demo tenant leaves offline messages to the gateway's own buffer.
    getOfflineMessages: ({ tenantId, userId }) => {
      onAnswered({ operation: 'get-offline-messages', tenantId, about: `user ${userId}`, answer: 'none' })
      return { messages: [] }
    },
  })
}
