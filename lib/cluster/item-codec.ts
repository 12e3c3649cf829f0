import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ItemSchema, type Arrival, type HeldMessage } from '../gen/mics/node/v1/node_pb.js'
import { WireReader } from '../protocol/wire.js'
import {
  bytesSize, int64Size, packedSize, stringSize, varintSize,
  writeBytes, writeInt64, writePacked, writeString, writeVarint,
} from '../protocol/wire-writer.js'

// An Item of mics.node.v1. A Deliver is coded by hand, because every message to another node is one: protobuf-es takes
// 5 µs to encode it and 2 µs to decode it, this 1 µs and 0.8. Hold and Arrival are rare and left to protobuf-es.

/** An item as the peer reads it. */
export type Item =
  | { id: number, kind: 'deliver', deliver: Deliver }
  | { id: number, kind: 'hold', messages: HeldMessage[], isHandover: boolean }
  | { id: number, kind: 'arrive', arrival: Arrival }
  /** It has an id, so that it can be answered, and nothing else that is of use. */
  | { id: number, kind: 'malformed' }

export interface Deliver {
  /** A serialized MessageRequest. */
  message: Buffer
  userIds: readonly string[]
  /** Positions in `userIds`. */
  shared: readonly number[]
  seq: number
  /** The sender's span that this is part of. Empty: it is not traced. */
  traceparent: string
}

// (field number << 3) | wire type.
const ITEM_ID = 1 << 3
const ITEM_DELIVER = 2 << 3 | 2
const ITEM_HOLD = 3 << 3 | 2
const ITEM_ARRIVAL = 4 << 3 | 2
const LAST_ITEM_FIELD = 4

const DELIVER_MESSAGE = 1 << 3 | 2
const DELIVER_USER_ID = 2 << 3 | 2
const DELIVER_SHARED = 3 << 3
const DELIVER_SHARED_PACKED = 3 << 3 | 2
const DELIVER_SEQ = 4 << 3
const DELIVER_TRACEPARENT = 5 << 3 | 2
const LAST_DELIVER_FIELD = 5

const EMPTY = Buffer.alloc(0)

/** Bytes of the Deliver in an item, which is some bytes more. */
export function deliverSize ({ message, userIds, shared, seq, traceparent }: Deliver): number {
  return bytesSize(message) + userIdsSize(userIds) + packedSize(shared) + int64Size(seq) + stringSize(traceparent)
}

/** @param size what `deliverSize` said */
export function encodeDeliver (id: number, deliver: Deliver, size: number): Buffer {
  const { message, userIds, shared, seq, traceparent } = deliver
  const out = Buffer.allocUnsafe(int64Size(id) + 1 + varintSize(size) + size)
  let pos = writeInt64(out, 0, ITEM_ID, id)
  out[pos++] = ITEM_DELIVER
  pos = writeVarint(out, pos, size)
  pos = writeBytes(out, pos, DELIVER_MESSAGE, message)
  for (const userId of userIds) pos = writeElement(out, pos, userId)
  pos = writePacked(out, pos, DELIVER_SHARED_PACKED, shared)
  pos = writeInt64(out, pos, DELIVER_SEQ, seq)
  pos = writeString(out, pos, DELIVER_TRACEPARENT, traceparent)
  // The buffer comes uninitialised: one that is not filled exactly would send other people's data.
  if (pos !== out.length) throw new Error(`encoded ${pos} bytes where ${out.length} were counted`)
  return out
}

export function encodeHold (id: number, messages: HeldMessage[], isHandover: boolean): Uint8Array {
  const value = { messages, handedOver: isHandover }
  return toBinary(ItemSchema, create(ItemSchema, { id: BigInt(id), kind: { case: 'hold', value } }))
}

export function encodeArrival (
  id: number, arrival: { tenantId: string, userId: string, deviceId: string, order: number, memberKey: string }
): Uint8Array {
  const value = { ...arrival, order: BigInt(arrival.order) }
  return toBinary(ItemSchema, create(ItemSchema, { id: BigInt(id), kind: { case: 'arrival', value } }))
}

/** Never throws. Undefined: not even the id can be read. `deliver.message` shares memory with `bytes`. */
export function decodeItem (bytes: Uint8Array): Item | undefined {
  const reader = new WireReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  let id = 0
  let kinds = 0
  let isOther = false
  let deliver: Deliver | undefined
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case ITEM_ID: {
        const value = Number(reader.int64())
        if (!reader.failed) id = value
        break
      }
      case ITEM_DELIVER: {
        kinds++
        const outer = reader.enter()
        deliver = readDeliver(reader)
        reader.end = outer
        break
      }
      case ITEM_HOLD:
      case ITEM_ARRIVAL:
        kinds++
        isOther = true
        reader.skip(tag, 1)
        break
      default:
        if (tag >>> 3 > LAST_ITEM_FIELD) reader.skip(tag, 1)
        else reader.fail()
    }
  }
  if (!(id > 0 && Number.isSafeInteger(id))) return undefined
  // Of two kinds protobuf would take the last, or merge them; nobody sends two.
  if (reader.failed || kinds !== 1) return { id, kind: 'malformed' }
  if (isOther) return decodeOther(id, bytes)
  return deliver === undefined ? { id, kind: 'malformed' } : { id, kind: 'deliver', deliver }
}

function decodeOther (id: number, bytes: Uint8Array): Item {
  try {
    const { kind } = fromBinary(ItemSchema, bytes, { readUnknownFields: false })
    if (kind.case === 'hold') {
      const { messages, handedOver } = kind.value
      return { id, kind: 'hold', messages, isHandover: handedOver }
    }
    if (kind.case === 'arrival') return { id, kind: 'arrive', arrival: kind.value }
  } catch {
    // Whatever is wrong with it: the caller answers it and logs.
  }
  return { id, kind: 'malformed' }
}

function readDeliver (reader: WireReader): Deliver {
  let message: Buffer = EMPTY
  const userIds: string[] = []
  const shared: number[] = []
  let seq = 0
  let traceparent = ''
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case DELIVER_MESSAGE:
        message = reader.view()
        break
      case DELIVER_USER_ID:
        userIds.push(reader.string())
        break
      case DELIVER_SHARED:
        shared.push(reader.int32() >>> 0)
        break
      case DELIVER_SHARED_PACKED: {
        const outer = reader.enter()
        while (reader.pos < reader.end) shared.push(reader.int32() >>> 0)
        reader.end = outer
        break
      }
      case DELIVER_SEQ:
        seq = Number(reader.int64())
        break
      case DELIVER_TRACEPARENT:
        traceparent = reader.string()
        break
      default:
        if (tag >>> 3 > LAST_DELIVER_FIELD) reader.skip(tag, 2)
        else reader.fail()
    }
  }
  return { message, userIds, shared, seq, traceparent }
}

function userIdsSize (userIds: readonly string[]): number {
  let size = 0
  // An element of a list is written even where it is empty.
  for (const userId of userIds) size += stringSize(userId) || 2
  return size
}

function writeElement (out: Buffer, pos: number, userId: string): number {
  if (userId.length > 0) return writeString(out, pos, DELIVER_USER_ID, userId)
  out[pos++] = DELIVER_USER_ID
  out[pos++] = 0
  return pos
}
