import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape
} from '@bufbuild/protobuf'
import {
  AuthRequestSchema, AuthResponseSchema, CheckMessageRequestSchema, CheckMessageResponseSchema,
  CheckMessagesRequestSchema, CheckMessagesResponseSchema, GetGroupMembersRequestSchema,
  GetGroupMembersResponseSchema, GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema,
  TenantRuntimeConfigSchema,
  type HookMeta,
} from '../../lib/gen/mics/hook/v1/hook_pb.js'

export type Operation = 'auth' | 'check-message' | 'check-messages' | 'get-group-members' | 'get-offline-messages'

/** Answers one hook: its request decoded, its response's fields returned. */
type Hook<Request extends DescMessage, Response extends DescMessage> =
  (request: MessageShape<Request>) => MessageInitShape<Response> | Promise<MessageInitShape<Response>>
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

  auth: Hook<typeof AuthRequestSchema, typeof AuthResponseSchema> = ({ token, deviceId }) =>
    token.startsWith('valid:')
      ? { ok: true, userId: token.slice('valid:'.length), deviceId, config: this.config }
      : { ok: false, reason: 'invalid token' }

  check: Hook<typeof CheckMessageRequestSchema, typeof CheckMessageResponseSchema> = () => ({ allow: true })

  /** Asks `check` about each message, side by side. */
  checkMessages: Hook<typeof CheckMessagesRequestSchema, typeof CheckMessagesResponseSchema> = async request => {
    const answers = await Promise.all(request.messages.map(message =>
      this.check(create(CheckMessageRequestSchema, { meta: request.meta, message }))))
    return { verdicts: answers.map(({ allow, reason }) => ({ allow, reason })) }
  }

  members: Hook<typeof GetGroupMembersRequestSchema, typeof GetGroupMembersResponseSchema> = ({ groupId }) =>
    ({ userIds: this.groups.get(groupId) ?? [] })

  offline: Hook<typeof GetOfflineMessagesRequestSchema, typeof GetOfflineMessagesResponseSchema> = () => ({ ok: true })

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
    switch (operation) {
      case 'auth':
        return this.serve(operation, AuthRequestSchema, AuthResponseSchema, this.auth, body, request, response)
      case 'check-message':
        return this.serve(operation, CheckMessageRequestSchema, CheckMessageResponseSchema, this.check,
          body, request, response)
      case 'check-messages':
        return this.serve(operation, CheckMessagesRequestSchema, CheckMessagesResponseSchema, this.checkMessages,
          body, request, response)
      case 'get-group-members':
        return this.serve(operation, GetGroupMembersRequestSchema, GetGroupMembersResponseSchema, this.members,
          body, request, response)
      case 'get-offline-messages':
        return this.serve(operation, GetOfflineMessagesRequestSchema, GetOfflineMessagesResponseSchema, this.offline,
          body, request, response)
      default:
        throw new Error(`no such hook: ${request.url}`)
    }
  }

  private async serve<Req extends DescMessage, Res extends DescMessage> (
    operation: Operation, requestSchema: Req, responseSchema: Res, hook: Hook<Req, Res>,
    body: Buffer, request: IncomingMessage, response: ServerResponse
  ): Promise<void> {
    const decoded = fromBinary(requestSchema, body)
    const { meta } = decoded as unknown as { meta: HookMeta }
    this.calls.push({ operation, meta, headers: request.headers, body })
    const raw = this.raw.get(operation)
    if (raw !== undefined) return raw(response, body, request)
    const answer = toBinary(responseSchema, create(responseSchema, await hook(decoded)))
    response.writeHead(200, { 'content-type': 'application/protobuf' }).end(answer)
  }
}

const schemas = {
  auth: AuthRequestSchema,
  'check-message': CheckMessageRequestSchema,
  'check-messages': CheckMessagesRequestSchema,
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
