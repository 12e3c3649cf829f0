import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  GetGroupMembersRequestSchema, GetGroupMembersResponseSchema, GetOfflineMessagesRequestSchema,
  GetOfflineMessagesResponseSchema, TenantRuntimeConfigSchema,
  type AuthRequest, type CheckMessageRequest, type GetGroupMembersRequest, type GetOfflineMessagesRequest, type HookMeta,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'

export type Operation = 'auth' | 'check-message' | 'get-group-members' | 'get-offline-messages'

type Answer<T> = T | Promise<T>
/** Takes the response over: slow, broken and malicious servers. */
type RawHandler = (response: ServerResponse, body: Buffer, request: IncomingMessage) => void

export interface HookCall {
  operation: string
  meta: HookMeta
  headers: IncomingMessage['headers']
  body: Buffer
}

/**
 * A tenant's hook server over real HTTP. Accepts tokens `valid:<user>`, allows everything, knows no group, has no
 * offline messages; tests replace what they need. It verifies nothing itself: see `calls` and `expectedSignature`.
 */
export class HookServer {
  readonly calls: HookCall[] = []
  /** Part of every AuthResponse. */
  config: MessageInitShape<typeof TenantRuntimeConfigSchema> = {}
  readonly groups = new Map<string, string[]>()
  readonly raw = new Map<Operation, RawHandler>()

  auth: (request: AuthRequest) => Answer<MessageInitShape<typeof AuthResponseSchema>> = ({ token, deviceId }) =>
    token.startsWith('valid:')
      ? { ok: true, userId: token.slice('valid:'.length), deviceId, config: this.config }
      : { ok: false, reason: 'invalid token' }

  check: (request: CheckMessageRequest) => Answer<MessageInitShape<typeof CheckMessageResponseSchema>> = () => ({ allow: true })

  members: (request: GetGroupMembersRequest) => Answer<MessageInitShape<typeof GetGroupMembersResponseSchema>> =
    ({ groupId }) => ({ userIds: this.groups.get(groupId) ?? [] })

  offline: (request: GetOfflineMessagesRequest) => Answer<MessageInitShape<typeof GetOfflineMessagesResponseSchema>> =
    () => ({ ok: true })

  private constructor (private readonly server: Server) {}

  static async start (): Promise<HookServer> {
    const server = createServer()
    const hooks = new HookServer(server)
    server.on('request', (request, response) => {
      hooks.handle(request, response).catch(error => response.destroy(error as Error))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return hooks
  }

  get port (): number {
    return (this.server.address() as AddressInfo).port
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Calls of one operation so far. */
  callsOf (operation: Operation): HookCall[] {
    return this.calls.filter(call => call.operation === operation)
  }

  async close (): Promise<void> {
    if (!this.server.listening) return
    const closed = once(this.server, 'close')
    this.server.close()
    this.server.closeAllConnections()
    await closed
  }

  private async handle (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const operation = (request.url ?? '').split('/').at(-1) as Operation
    const answer = await this.answer(operation, body, request, response)
    if (answer === undefined) return
    response.writeHead(200, { 'content-type': 'application/protobuf' }).end(answer)
  }

  private async answer (operation: Operation, body: Buffer, request: IncomingMessage, response: ServerResponse): Promise<Uint8Array | undefined> {
    const record = (meta: HookMeta | undefined): void => {
      this.calls.push({ operation, meta: meta as HookMeta, headers: request.headers, body })
    }
    const raw = this.raw.get(operation)
    switch (operation) {
      case 'auth': {
        const decoded = fromBinary(AuthRequestSchema, body)
        record(decoded.meta)
        if (raw !== undefined) break
        return toBinary(AuthResponseSchema, create(AuthResponseSchema, await this.auth(decoded)))
      }
      case 'check-message': {
        const decoded = fromBinary(CheckMessageRequestSchema, body)
        record(decoded.meta)
        if (raw !== undefined) break
        return toBinary(CheckMessageResponseSchema, create(CheckMessageResponseSchema, await this.check(decoded)))
      }
      case 'get-group-members': {
        const decoded = fromBinary(GetGroupMembersRequestSchema, body)
        record(decoded.meta)
        if (raw !== undefined) break
        return toBinary(GetGroupMembersResponseSchema, create(GetGroupMembersResponseSchema, await this.members(decoded)))
      }
      case 'get-offline-messages': {
        const decoded = fromBinary(GetOfflineMessagesRequestSchema, body)
        record(decoded.meta)
        if (raw !== undefined) break
        return toBinary(GetOfflineMessagesResponseSchema, create(GetOfflineMessagesResponseSchema, await this.offline(decoded)))
      }
    }
    if (raw === undefined) throw new Error(`no such hook: ${operation}`)
    raw(response, body, request)
  }
}

const schemas = {
  auth: AuthRequestSchema,
  'check-message': CheckMessageRequestSchema,
  'get-group-members': GetGroupMembersRequestSchema,
  'get-offline-messages': GetOfflineMessagesRequestSchema,
}

/** What `meta.sign` of a call must be, computed the way a tenant's server does: decode, clear, encode, HMAC. */
export function expectedSign (call: HookCall, secret: string): string {
  const schema = schemas[call.operation as Operation] as typeof AuthRequestSchema
  const request = fromBinary(schema, call.body)
  const meta = request.meta as HookMeta
  meta.sign = ''
  const timestamp = Buffer.alloc(8)
  timestamp.writeBigInt64LE(meta.timestampMs)
  return createHmac('sha256', secret)
    .update(toBinary(schema, request)).update(meta.requestId).update(timestamp).digest('base64')
}

/** What `x-mics-signature` of a call must be. */
export function expectedSignatureHeader (call: HookCall, secret: string): string {
  const hmac = createHmac('sha256', secret).update(`${String(call.headers['x-mics-timestamp'])}.`).update(call.body)
  return `v1=${hmac.digest('hex')}`
}
