import type { EventType } from '../gen/mics/hook/v1/hook_pb.js'
import type { Span } from '../tracing/span.js'

/** Something that happened, for the tenant's backend: a mics.hook.v1.MqEvent and what it takes to publish it. */
export interface MqEvent {
  tenantId: string
  type: EventType
  msgId: string
  userId: string
  deviceId: string
  toUserId: string
  groupId: string
  /** A serialized ConnectAck or MessageRequest. Copied, not kept. */
  data: Uint8Array
  /** Unix milliseconds. */
  timestampMs: number
  /** 32 hex digits. */
  traceId: string
  /** Signs it. Empty: it goes unsigned. */
  secret: string
  /** Events of one tenant and key stay in order. */
  key: string
  /** Of the way to its topic, where that is traced; ends with it. */
  span?: Span
}

/** An event in the bytes that will be published, yet without its signature. */
export interface EncodedEvent {
  readonly tenantId: string
  readonly type: EventType
  readonly key: string
  readonly msgId: string
  readonly traceId: string
  /** Unix milliseconds. */
  readonly timestampMs: number
  readonly secret: string
  /** The serialized MqEvent, with room for the signature where `secret` is not empty. */
  readonly value: Buffer
  /** Where in `value` the signature's field goes. */
  readonly signAt: number
  readonly span?: Span
}
