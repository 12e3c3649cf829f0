/** What a mock gateway does beside being friendly. The file's format is conformance/scenario.schema.json. */
export interface Scenario {
  $schema?: string
  description?: string
  /** Seeds what is random, unless the command line does. Default 1. */
  seed?: number
  /** Milliseconds without a frame until a client is disconnected with 4100. Default 30,000. */
  heartbeatTimeoutMs?: number
  /** Largest body in bytes. Default 1 MiB. */
  maxMessageBytes?: number
  /** Members of groups. A group that is not here has none. */
  groups?: Record<string, string[]>
  /** Whose tokens these are. Any other token `valid:<user>` is the user's, and any other token is the user's id. */
  tokens?: Record<string, string>
  /** Messages that wait for their recipients when the mock starts. */
  held?: ScriptedMessages[]
  /** The first that fits decides. */
  rules?: Rule[]
  /** What the client under test does. The mock does not look at it. */
  client?: ScriptedClient
  /** What must come of it. The mock does not look at it. */
  expect?: Expectation
}

/** `{n}` in `msgId` and `body` becomes 1, 2, 3 ... up to `count`. */
export interface ScriptedMessages {
  tenantId?: string
  /** The sender; for a client's own messages it is the client. */
  from?: string
  fromDevice?: string
  toUserId?: string
  groupId?: string
  msgId: string
  body?: string
  count?: number
}

export interface Rule {
  when: Condition
  do: Action
  /** How often it applies. Default: always. */
  times?: number
}

export type MockEvent = 'connect' | 'message' | 'ping' | 'delivery'

export interface Condition {
  event: MockEvent
  tenantId?: string
  userId?: string
  deviceId?: string
  token?: string
  /** Which connection of the device, from 1. */
  connection?: Position
  /** Which message, ping or delivery of the connection, from 1. */
  nth?: Position
  /** A regular expression. */
  msgId?: string
  toUserId?: string
  groupId?: string
  /** The sender. */
  from?: string
  /** From 0 to 1. Which ones, the seed says. */
  chance?: number
}

export type Position = number | { from?: number, to?: number, every?: number }

export interface Action {
  /** Of a connect: an HTTP answer instead of the upgrade. */
  refuse?: { status: number, retryAfterSeconds?: number }
  /** Of a connect: no answer to the upgrade, or none after it. */
  hang?: 'upgrade' | 'connect_ack'
  /** Ends the TCP connection without a close frame. */
  drop?: 'before' | 'processed' | 'half' | 'after'
  /** A close frame, instead of the answer or after it. */
  close?: { code: number, reason?: string, after?: boolean }
  /** Closes all connections with 4200, instead of answering. */
  drain?: boolean
  /** From now on the connection says nothing, and does nothing with what it hears. */
  silent?: boolean
  /** Of a message: FAILED with this reason. */
  fail?: { reason: string }
  /** Of a message: a ServerError instead of an ack. */
  error?: { code: number, message?: string }
  answer?: 'never' | Answer
  /** Frames before the answer, and after it. */
  before?: ExtraFrame[]
  after?: ExtraFrame[]
}

export interface Answer {
  delayMs?: number
  copies?: number
  /** So many answers are held, up to 200 ms, and then come in another order. */
  reorder?: { count: number, illegal?: boolean }
  /** Adds fields that no client knows. */
  unknownFields?: boolean
}

export type ExtraFrame = { hex: string } | { text: string } | { error: { code: number, message?: string } }

export interface ScriptedClient {
  tenantId: string
  userId: string
  deviceId: string
  /** One for each time the client asks; the last one again and again. */
  tokens: string[]
  /** What the client is told of the tenant's window. Default 30,000. */
  heartbeatTimeoutMs?: number
  /** Milliseconds for upgrade and connect_ack, where the client has such an option. */
  connectTimeoutMs?: number
  send?: ScriptedMessages[]
}

export interface Expectation {
  text: string
  /** At the end. */
  state: 'connected' | 'closed'
  closeCode?: number
  /** Attempts to connect that the mock has seen. */
  connections: { min: number, max: number }
  /** `msg_id`s of the client's messages that were acked SENT. */
  sent?: string[]
  /** Reason of each that was acked FAILED. */
  failed?: Record<string, string>
  /** What the mock took to be delivered, in order; nothing twice. */
  processed?: string[]
  /** What the client's app saw of each sender, in order; nothing twice. */
  received?: Record<string, string[]>
}

/** The messages that a scripted one stands for. */
export function unfold (scripted: ScriptedMessages): ScriptedMessages[] {
  return Array.from({ length: scripted.count ?? 1 }, (_, index) => {
    const number = String(index + 1)
    const { msgId, body } = scripted
    return {
      ...scripted,
      count: 1,
      msgId: msgId.replaceAll('{n}', number),
      body: (body ?? '').replaceAll('{n}', number),
    }
  })
}
