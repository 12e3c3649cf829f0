import { fromBinary } from '@bufbuild/protobuf'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { HookMetaSchema, type HookMeta } from './gen/mics/hook/v1/hook_pb.js'

/** What is looked at of a request before it is trusted. */
export interface Envelope {
  meta: HookMeta
  /** The request with `meta.sign` empty, in pieces: what `meta.sign` signs. */
  unsigned: Uint8Array[]
}

const META_FIELD = 1
const SIGN_FIELD = 4

/**
 * Reads `meta`, field 1 of every request. `sign` is cut out of the bytes as they came: they were signed like that, with
 * fields that are unknown here and in whatever order their sender wrote them.
 * Throws where the bytes are no protobuf, or do not have exactly one `meta`.
 */
export function readEnvelope (body: Uint8Array): Envelope {
  const reader = new BinaryReader(body)
  let meta: Uint8Array | undefined
  let unsigned: Uint8Array[] = []
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [field, wireType] = reader.tag()
    if (field !== META_FIELD) {
      reader.skip(wireType, field)
      continue
    }
    if (wireType !== WireType.LengthDelimited) throw new Error('meta is no message')
    if (meta !== undefined) throw new Error('meta is there twice')
    const tagEnd = reader.pos
    meta = reader.bytes()
    const pieces = withoutField(meta, SIGN_FIELD)
    const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
    unsigned = [
      body.subarray(0, start), body.subarray(start, tagEnd), new BinaryWriter().uint32(length).finish(), ...pieces,
      body.subarray(reader.pos),
    ]
  }
  if (meta === undefined) throw new Error('meta is missing')
  return { meta: fromBinary(HookMetaSchema, meta, { readUnknownFields: false }), unsigned }
}

/**
 * The bytes of a message without one of its fields, in pieces: two at most. Throws where that field is there twice: no
 * encoder writes it so, and millions of them would be millions of pieces.
 */
export function withoutField (message: Uint8Array, unwanted: number): Uint8Array[] {
  const reader = new BinaryReader(message)
  const pieces: Uint8Array[] = []
  let from = 0
  let isFound = false
  while (reader.pos < reader.len) {
    const start = reader.pos
    const [field, wireType] = reader.tag()
    reader.skip(wireType, field)
    if (field !== unwanted) continue
    if (isFound) throw new Error(`field ${unwanted} is there twice`)
    isFound = true
    if (start > from) pieces.push(message.subarray(from, start))
    from = reader.pos
  }
  if (reader.len > from) pieces.push(message.subarray(from))
  return pieces
}
