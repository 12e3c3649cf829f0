import { randomBytes } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { TenantSettings } from '../config/gateway-config.js'
import type { HookOperation } from '../hooks/hooks-client.js'
import { PAGE_SIZE } from '../session/offline-pull.js'
import { MessageType } from '../gen/mics/message/v1/message_pb.js'
import type { CheckGroup, Finding } from './finding.js'
import { Findings } from './findings.js'
import { HookProbe, type Exchange, type ProbeCall } from './hook-probe.js'
import { authQuestion, membersQuestion, messageQuestion, offlineQuestion } from './hook-questions.js'
import { Latencies } from './latencies.js'

export interface DoctorOptions {
  /** Base URL of /auth, as the gateway is configured with. */
  url: string
  tenantId: string
  /** Empty: calls are unsigned, as far as /auth gives no `tenant_secret`. */
  secret: string
  /** A token that /auth takes. */
  token: string
  deviceId: string
  /** Whose offline messages are asked for, always. Default: the token's user, where the config wants them pulled. */
  userId?: string
  /** Whom the message to be checked is for. Default: the token's user. */
  toUserId?: string
  /** A group with members. */
  groupId?: string
  /** Messages of a call of /check-messages. Default: what the config sets, if it does. */
  batchSize?: number
  only: ReadonlySet<CheckGroup>
  /** Make no call that a good gateway would not make. */
  skipBad: boolean
  /** Milliseconds after which a call is given up. */
  timeoutMs: number
  /** Milliseconds that a call may take. */
  budgetMs: number
  /** Milliseconds that a connection is watched for being closed while it is idle. */
  idleMs: number
  onFinding?: (finding: Finding) => void
}

/** What is special about a message to be checked; with a group it is a group message. */
interface MessageParts {
  body?: Uint8Array
  deviceId?: string
  groupId?: string
}

const TEXT = Buffer.from('a message of the hook doctor')

/** What the checks share: the server, what it has told so far, and what was found. */
export class Examination {
  readonly probe: HookProbe
  readonly findings: Findings
  readonly latencies = new Latencies()
  /** Hooks that gave a good answer to a good call: only of these can be said how they take a bad one. */
  readonly answering = new Map<HookOperation, 'yes' | 'no'>()
  /** Whom the token belongs to, once /auth has said so. */
  userId: string
  /** What holds for a connection, by the answer of /auth. */
  settings: TenantSettings
  /** The first call of /auth, which shows whether the server can be reached. */
  firstAuth?: Exchange

  /** What is never printed. */
  readonly secrets: Set<string>
  private readonly loopDelay = monitorEventLoopDelay({ resolution: 5 })
  readonly unknownGroup = `doctor-no-such-group-${randomBytes(4).toString('hex')}`

  /** @param settings what holds where /auth gives no config */
  constructor (readonly options: DoctorOptions, settings: TenantSettings) {
    this.settings = settings
    this.userId = options.userId ?? 'doctor'
    this.secrets = new Set([options.secret, options.token])
    this.findings = new Findings(options.only, this.secrets, options.onFinding)
    this.probe = new HookProbe(options.tenantId, options.timeoutMs)
    this.loopDelay.enable()
  }

  /** Milliseconds for which this process was held up at most: so much of what was measured may not be the server's. */
  get ownDelayMs (): number {
    return this.loopDelay.max / 1e6
  }

  async close (): Promise<void> {
    this.loopDelay.disable()
    await this.probe.close()
  }

  wants (check: CheckGroup): boolean {
    return this.findings.wants(check)
  }

  /** Where and how the gateway would ask this. */
  callOf (operation: HookOperation, fields: Uint8Array, secret?: string): ProbeCall {
    const { url, secret: configured } = this.options
    const isAuth = operation === 'auth'
    return {
      operation,
      baseUrl: isAuth ? url : this.settings.hookBaseUrl,
      fields,
      secret: secret ?? (isAuth ? configured : this.settings.tenantSecret),
    }
  }

  secretOf (operation: HookOperation): string {
    return operation === 'auth' ? this.options.secret : this.settings.tenantSecret
  }

  /** A call as the gateway makes it, whose time counts. */
  async ask (operation: HookOperation, fields: Uint8Array, what = ''): Promise<Exchange> {
    const connects = this.probe.connects
    const exchange = await this.probe.call(this.callOf(operation, fields))
    this.latencies.add({
      operation,
      what,
      ms: exchange.ms,
      isCold: this.probe.connects > connects,
      isAnswered: exchange.answer !== undefined,
    })
    return exchange
  }

  /** A question to which a good server gives a good answer. */
  goodQuestion (operation: HookOperation): Uint8Array {
    const { token, deviceId, groupId } = this.options
    switch (operation) {
      case 'auth':
        return authQuestion(token, deviceId)
      // With one message both are the same bytes.
      case 'check-message':
      case 'check-messages':
        return this.message()
      case 'get-group-members':
        return membersQuestion(groupId ?? this.unknownGroup)
      case 'get-offline-messages':
        return offlineQuestion({ userId: this.pulledUser, deviceId, maxMessages: PAGE_SIZE, cursor: '' })
    }
  }

  /** A message of the token's user, to be checked. */
  message ({ body = TEXT, deviceId = this.options.deviceId, groupId = '' }: MessageParts = {}): Uint8Array {
    return messageQuestion({
      tenantId: this.options.tenantId,
      userId: this.userId,
      deviceId,
      msgId: `doctor-${randomBytes(8).toString('hex')}`,
      msgType: groupId === '' ? MessageType.SINGLE_CHAT : MessageType.GROUP_CHAT,
      toUserId: groupId === '' ? this.options.toUserId ?? this.userId : '',
      groupId,
      msgBody: body,
      timestampMs: BigInt(Date.now()),
    })
  }

  /** So many messages to be checked, as a request of /check-messages. */
  messages (count: number, body?: Uint8Array): Uint8Array {
    // Requests about one message each, one behind the other, are a request about all of them.
    return Buffer.concat(Array.from({ length: count }, () => this.message({ body })))
  }

  /** Messages that the gateway puts into a call of /check-messages. Below 2: it does not call it. */
  get batchSize (): number {
    const { checkMessageDisabled, checkBatchMaxMessages } = this.settings
    return this.options.batchSize ?? (checkMessageDisabled ? 0 : checkBatchMaxMessages)
  }

  /** Whose offline messages are asked for. */
  get pulledUser (): string {
    return this.options.userId ?? this.userId
  }
}
