import { toBinary } from '@bufbuild/protobuf'
import type { TenantSettings } from '../config/gateway-config.js'
import { EventType } from '../gen/mics/hook/v1/hook_pb.js'
import { ConnectAckSchema, MessageType, type ConnectAck } from '../gen/mics/message/v1/message_pb.js'
import type { Message } from '../protocol/message.js'
import { encodeMessageRequest } from '../protocol/server-frame.js'
import type { Delivery } from '../routing/delivery.js'
import type { SpanParent } from '../tracing/span.js'
import { conversationKey } from './conversation-key.js'
import type { MqPublisher } from './mq-publisher.js'

/** Whom an event is about: a connection. */
export interface EventSource {
  readonly tenantId: string
  readonly userId: string
  readonly deviceId: string
  readonly traceId: string
  /** Where the connection is traced. */
  readonly trace?: SpanParent
  readonly settings: Pick<TenantSettings, 'tenantSecret'>
}

const NO_IDS = { msgId: '', toUserId: '', groupId: '' }

/** What a tenant's backend is told of: connections that come and go, messages, and who was not there to get them. */
export class GatewayEvents {
  /**
   * @param publisher none: there is nowhere to publish events to
   * @param now Unix milliseconds
   */
  constructor (private readonly publisher: MqPublisher | undefined, private readonly now: () => number) {}

  /** @param connectAck the one that the connection got */
  connectOnline (from: EventSource, connectAck: ConnectAck): void {
    this.connection(EventType.CONNECT_ONLINE, from, connectAck)
  }

  /** @param connectAck the one that the connection got when it began */
  connectOffline (from: EventSource, connectAck: ConnectAck): void {
    this.connection(EventType.CONNECT_OFFLINE, from, connectAck)
  }

  /** A message that passed the check, after it was delivered as far as that was possible. */
  message (from: EventSource, message: Message): void {
    if (this.publisher === undefined) return
    const type = message.msgType === MessageType.GROUP_CHAT ? EventType.GROUP_CHAT_MSG : EventType.SINGLE_CHAT_MSG
    this.publish(type, from, conversationKey(message), idsOf(message), encodeMessageRequest(message), message.span)
  }

  /** A message for a user who has no device online. False: it could not be queued, and nobody will learn of it. */
  offlineMessage (from: EventSource, delivery: Delivery, userId: string): boolean {
    if (this.publisher === undefined) return false
    const { message, encodedMessage } = delivery
    const ids = { ...idsOf(message), toUserId: userId }
    return this.publish(EventType.OFFLINE_MESSAGE, from, conversationKey(message), ids, encodedMessage, message.span)
  }

  private connection (type: EventType, from: EventSource, connectAck: ConnectAck): void {
    if (this.publisher === undefined) return
    this.publish(type, from, from.userId, NO_IDS, toBinary(ConnectAckSchema, connectAck), from.trace)
  }

  private publish (
    type: EventType, from: EventSource, key: string, ids: typeof NO_IDS, data: Uint8Array,
    parent: SpanParent | undefined
  ): boolean {
    if (this.publisher === undefined) return false
    const { tenantId, userId, deviceId, traceId, settings } = from
    const span = parent?.child('mics.event', 'producer', { 'mics.tenant_id': tenantId, 'mics.event_type': EventType[type] })
    return this.publisher.publish({
      tenantId,
      type,
      msgId: ids.msgId,
      userId,
      deviceId,
      toUserId: ids.toUserId,
      groupId: ids.groupId,
      data,
      timestampMs: this.now(),
      traceId,
      secret: settings.tenantSecret,
      key,
      span,
    })
  }
}

/** A message names its recipient in one of two fields; what the other holds means nothing. */
function idsOf ({ msgType, msgId, toUserId, groupId }: Message): typeof NO_IDS {
  return msgType === MessageType.GROUP_CHAT ? { msgId, toUserId: '', groupId } : { msgId, toUserId, groupId: '' }
}
