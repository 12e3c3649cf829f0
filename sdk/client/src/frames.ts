import { decodeMessage, encodeMessage, type Fields, type Message } from './wire.js'

/** What a client sends. */
export type ClientFrame =
  | { case: 'message', value: MessageRequest }
  | { case: 'heartbeatPing', value: Heartbeat }

/** What the gateway sends. */
export type ServerFrame =
  /** The first frame of a connection. */
  | { case: 'connectAck', value: ConnectAckFrame }
  | { case: 'delivery', value: MessageDelivery }
  /** One for each message the client sent. */
  | { case: 'ack', value: MessageAckFrame }
  /** The answer to a frame that cannot be used: see `errorCodes`. */
  | { case: 'error', value: ServerErrorFrame }
  | { case: 'heartbeatPong', value: Heartbeat }

export interface MessageRequest {
  tenantId: string
  userId: string
  deviceId: string
  msgId: string
  /** A MessageType, or a number of a later version. */
  msgType: number
  toUserId: string
  groupId: string
  msgBody: Uint8Array
  /** Unix milliseconds. */
  timestampMs: number
}

export interface MessageDelivery {
  message?: MessageRequest
}

export interface MessageAckFrame {
  msgId: string
  /** An AckStatus. */
  status: number
  /** Unix milliseconds, the gateway's time. */
  timestampMs: number
  reason: string
  partialDelivery: boolean
  offlineNotifiedUsers: number
  offlineBufferedUsers: number
  offlineSkippedUsers: number
}

export interface ConnectAckFrame {
  /** 1000: connected. */
  code: number
  tenantId: string
  userId: string
  deviceId: string
  nodeId: string
  traceId: string
}

export interface ServerErrorFrame {
  code: number
  message: string
}

export interface Heartbeat {
  /** Unix milliseconds, by the clock of whoever sends it. */
  timestampMs: number
}

export const MessageType = { SINGLE_CHAT: 0, GROUP_CHAT: 1 } as const
export const AckStatus = { SENT: 0, FAILED: 1 } as const

const messageRequest: Fields = {
  1: ['tenantId', 'string'],
  2: ['userId', 'string'],
  3: ['deviceId', 'string'],
  4: ['msgId', 'string'],
  5: ['msgType', 'int32'],
  6: ['toUserId', 'string'],
  7: ['groupId', 'string'],
  8: ['msgBody', 'bytes'],
  9: ['timestampMs', 'int64'],
}
const messageAck: Fields = {
  1: ['msgId', 'string'],
  2: ['status', 'int32'],
  3: ['timestampMs', 'int64'],
  4: ['reason', 'string'],
  5: ['partialDelivery', 'bool'],
  6: ['offlineNotifiedUsers', 'uint32'],
  7: ['offlineBufferedUsers', 'uint32'],
  8: ['offlineSkippedUsers', 'uint32'],
}
const connectAck: Fields = {
  1: ['code', 'int32'],
  2: ['tenantId', 'string'],
  3: ['userId', 'string'],
  4: ['deviceId', 'string'],
  5: ['nodeId', 'string'],
  6: ['traceId', 'string'],
}
const heartbeat: Fields = { 1: ['timestampMs', 'int64'] }
const clientFrame: Fields = { 1: ['message', messageRequest], 2: ['heartbeatPing', heartbeat] }
const serverFrame: Fields = {
  1: ['connectAck', connectAck],
  2: ['delivery', { 1: ['message', messageRequest] }],
  3: ['ack', messageAck],
  4: ['error', { 1: ['code', 'int32'], 2: ['message', 'string'] }],
  5: ['heartbeatPong', heartbeat],
}

/**
 * The bytes of one WebSocket message. A field that is undefined is left out.
 * @throws RangeError, TypeError for a field that is not what its type says, by name. Times are safe integers.
 */
export function encodeClientFrame (frame: ClientFrame): Uint8Array {
  return encodeFrame(clientFrame, frame)
}

/** The same for the other direction: for a gateway's part in a test. */
export function encodeServerFrame (frame: ServerFrame): Uint8Array {
  return encodeFrame(serverFrame, frame)
}

/**
 * Reads one WebSocket message. Undefined: a kind of frame that this version does not know, or one without content.
 * A time past the safe integers becomes the nearest of them; text that is not UTF-8 gets U+FFFD. Bodies are copies.
 * @throws Error for what is no frame
 */
export function decodeServerFrame (bytes: Uint8Array): ServerFrame | undefined {
  return decodeFrame(serverFrame, bytes) as ServerFrame | undefined
}

/** The same for the other direction: for a gateway's part in a test. */
export function decodeClientFrame (bytes: Uint8Array): ClientFrame | undefined {
  return decodeFrame(clientFrame, bytes) as ClientFrame | undefined
}

function encodeFrame (fields: Fields, frame: ClientFrame | ServerFrame): Uint8Array {
  return encodeMessage(fields, { [frame.case]: frame.value })
}

function decodeFrame (fields: Fields, bytes: Uint8Array): { case: string, value: Message } | undefined {
  const [name] = Object.entries(decodeMessage(fields, bytes, {}, { isOneof: true }))
  return name && { case: name[0], value: name[1] }
}
