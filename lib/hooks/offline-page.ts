import { fromBinary } from '@bufbuild/protobuf'
import { MessageRequestSchema, type MessageRequest } from '../gen/mics/message/v1/message_pb.js'
import { WireReader } from '../protocol/wire.js'

// (field number << 3) | wire type of the fields of GetOfflineMessagesResponse.
const OK = 2 << 3 | 0
const MESSAGES = 3 << 3 | 2
const NEXT_CURSOR = 5 << 3 | 2
const HAS_MORE = 6 << 3 | 0

/** Messages beyond those asked for that are passed over; an answer with more is no answer. */
const MAX_EXCESS = 1000

/** What of a GetOfflineMessagesResponse matters. */
export interface OfflinePage {
  ok: boolean
  messages: MessageRequest[]
  nextCursor: string
  hasMore: boolean
  /** There were more messages than asked for. */
  isCut: boolean
  /** Of the response: the messages' bodies are views of it. */
  byteLength: number
}

/**
 * Decodes a GetOfflineMessagesResponse as far as it was asked for: its first `maxMessages` messages. By hand, because
 * a body of a few megabytes can hold millions of messages, and decoding them all would stop the process for seconds.
 * Undefined where it cannot be decoded; throws where one of the messages cannot.
 */
export function decodeOfflinePage (body: Uint8Array, maxMessages: number): OfflinePage | undefined {
  const reader = new WireReader(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  const page: OfflinePage = {
    ok: false, messages: [], nextCursor: '', hasMore: false, isCut: false, byteLength: body.byteLength,
  }
  const messages: Buffer[] = []
  let excess = 0
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case OK:
        page.ok = reader.int32() !== 0
        break
      case MESSAGES:
        if (messages.length < maxMessages) messages.push(reader.view())
        else if (++excess > MAX_EXCESS) return undefined
        else reader.skip(tag, 1)
        break
      case NEXT_CURSOR:
        page.nextCursor = reader.string()
        break
      case HAS_MORE:
        page.hasMore = reader.int32() !== 0
        break
      default:
        reader.skip(tag, 1)
    }
  }
  if (reader.failed) return undefined
  page.isCut = excess > 0
  page.messages = messages.map(bytes => fromBinary(MessageRequestSchema, bytes, { readUnknownFields: false }))
  return page
}
