import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import fastify, { type FastifyInstance } from 'fastify'
import type { WebSocket } from 'ws'
import gateway from '../../app.js'
import { loadConfig } from '../../lib/config/load-config.js'
import {
  AuthResponseSchema, CheckMessageResponseSchema, GetGroupMembersResponseSchema, type TenantRuntimeConfigSchema,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { GroupMembers } from '../../lib/hooks/group-members.js'
import type { Message } from '../../lib/protocol/message.js'
import type { Session } from '../../lib/session/session.js'

export const TENANT = 'acme'

/** A socket that takes everything at once and leads nowhere. */
class NullSocket extends EventEmitter {
  readonly bytesRead = 0
  readonly writableLength = 0
  readonly destroyed = false

  write (_data: Buffer, done?: () => void): boolean {
    if (done !== undefined) process.nextTick(done)
    return true
  }

  cork (): void {}
  uncork (): void {}
}

class NullWebSocket extends EventEmitter {
  readonly OPEN = 1
  readonly readyState = 1
  pause (): void {}
  resume (): void {}
  ping (): void {}
  close (): void {}
  terminate (): void {}
}

/** The whole gateway in this process, but no sockets: clients are sessions to nowhere, and hooks answer at once. */
export class SocketlessNode {
  private messages = 0

  private constructor (readonly app: FastifyInstance) {}

  /** @param runtime what the tenant's auth hook says of its settings */
  static async start (runtime: MessageInitShape<typeof TenantRuntimeConfigSchema> = {}): Promise<SocketlessNode> {
    const app = fastify({ logger: false })
    const config = loadConfig({
      // Nobody is there: no hook is called.
      TENANT_AUTH_MAP: JSON.stringify({ [TENANT]: 'http://127.0.0.1:1' }),
      HANDSHAKE_MAX_PER_SECOND: '100000',
      // Small, so that it is full after the first round and costs the same in all others.
      DEDUP_MAX_ENTRIES_PER_TENANT: '20000',
      LOG_LEVEL: 'silent',
    })
    await app.register(gateway, { config, embedded: false })
    await app.ready()
    const allowed = { ok: true, value: create(CheckMessageResponseSchema, { allow: true }) } as const
    const groups = new Map<string, Uint8Array>()
    Object.assign(app.hooksClient, {
      auth: async (_tenantId, _settings, token, deviceId) => (
        { ok: true, value: create(AuthResponseSchema, { ok: true, userId: token, deviceId, config: runtime }) }
      ),
      checkMessage: async () => allowed,
      getGroupMembers: async (_settings, { groupId }) => {
        let list = groups.get(groupId)
        if (list === undefined) groups.set(groupId, list = groupList(groupId))
        return { ok: true, value: parsed(list) }
      },
    } satisfies Partial<FastifyInstance['hooksClient']>)
    return new SocketlessNode(app)
  }

  async connect (userId: string, deviceId = 'web-7f3a91'): Promise<Session> {
    await this.app.handshakes.run(new NullWebSocket() as unknown as WebSocket, new NullSocket() as unknown as Socket,
      { tenantId: TENANT, token: userId, deviceId })
    const session = this.app.connections.ofDevice(TENANT, userId, deviceId)
    if (session === undefined) throw new Error(`${userId} was not let in`)
    return session
  }

  /** Connects the members of the group that is named after their number; returns the first of them. */
  async connectGroup (members: number): Promise<Session> {
    const [first] = await Promise.all(memberIds(members).map(userId => this.connect(userId)))
    return first
  }

  /** A message that was not there before. */
  message ({ userId, deviceId }: Session, toUserId: string, groupId = ''): Message {
    return {
      tenantId: TENANT,
      userId,
      deviceId,
      msgId: `0195d2c4-7a1e-7c3b-9d55-${++this.messages}`,
      msgType: groupId === '' ? 0 : 1,
      toUserId,
      groupId,
      msgBody: BODY,
      timestampMs: 1_760_000_000_123n,
    }
  }

  /** Resolves at the end of this turn of the event loop, when what was sent in it is written. */
  async turn (): Promise<void> {
    await nextTurn()
  }

  async close (): Promise<void> {
    await this.app.close()
  }
}

const BODY = Buffer.alloc(128, 'x')

function memberIds (members: number): string[] {
  return Array.from({ length: members }, (_, i) => `user-of-${members}-${i}`)
}

/** What the members hook answers for the group that is named after their number. */
export function groupList (groupId: string): Uint8Array {
  return toBinary(GetGroupMembersResponseSchema,
    create(GetGroupMembersResponseSchema, { userIds: memberIds(Number(groupId)) }))
}

/** The same as the gateway reads it; it can be walked once. */
export function parsed (list: Uint8Array): GroupMembers {
  const members = GroupMembers.parse(list)
  if (members === undefined) throw new Error('a list that was just made cannot be read')
  return members
}
