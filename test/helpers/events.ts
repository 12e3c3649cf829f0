import { createHmac } from 'node:crypto'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { EventType, MqEventSchema, type MqEvent } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import type { KafkaRecord } from './kafka-consumer.js'

/** An event as a tenant's backend would decode it, with nothing of the gateway's own. */
export function decodeEvent ({ value }: KafkaRecord): MqEvent {
  if (value === null) throw new Error('a record without a value is no event')
  return fromBinary(MqEventSchema, value)
}

/** The signature that an event must have. */
export function expectedSign (event: MqEvent, secret: string): string {
  return createHmac('sha256', secret).update(toBinary(MqEventSchema, { ...event, sign: '' })).digest('base64')
}

/** The `msg_id`s of the events of one type and conversation, in their order. */
export function msgIds (records: readonly KafkaRecord[], type: EventType, key: string): string[] {
  return records.filter(record => record.key === key)
    .map(decodeEvent)
    .filter(({ eventType }) => eventType === type)
    .map(({ msgId }) => msgId)
}

/** Each the first time: events come at least once. */
export function firsts<T> (list: readonly T[]): T[] {
  return [...new Set(list)]
}
