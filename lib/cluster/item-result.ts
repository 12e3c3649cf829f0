import { WireReader } from '../protocol/wire.js'
import { int64Size, packedSize, uint32Size, writeInt64, writePacked, writeUint32 } from '../protocol/wire-writer.js'

// A Result of mics.node.v1. By hand, because there is one for every message to another node.

/** What became of an item. */
export interface ItemResult {
  /** Of the item. */
  readonly id: number
  /** Deliver: positions of the users who have no device there. */
  missing: readonly number[]
  /** Deliver: positions of the users who lately connected elsewhere, too. */
  moved: readonly number[]
  /** Deliver: devices that got it. Hold: messages taken. */
  count: number
  /** It was not understood, or there was a fault. */
  failed: boolean
}

const NONE: readonly number[] = Object.freeze([])

// (field number << 3) | wire type.
const ID = 1 << 3
const MISSING = 2 << 3
const MISSING_PACKED = 2 << 3 | 2
const MOVED = 3 << 3
const MOVED_PACKED = 3 << 3 | 2
const COUNT = 4 << 3
const FAILED = 5 << 3
const LAST_FIELD = 5

export function newResult (id: number): ItemResult {
  return { id, missing: NONE, moved: NONE, count: 0, failed: false }
}

export function encodeResult ({ id, missing, moved, count, failed }: ItemResult): Buffer {
  const length = int64Size(id) + packedSize(missing) + packedSize(moved) + uint32Size(count) + (failed ? 2 : 0)
  const out = Buffer.allocUnsafe(length)
  let pos = writeInt64(out, 0, ID, id)
  pos = writePacked(out, pos, MISSING_PACKED, missing)
  pos = writePacked(out, pos, MOVED_PACKED, moved)
  pos = writeUint32(out, pos, COUNT, count)
  pos = writeUint32(out, pos, FAILED, failed ? 1 : 0)
  // The buffer comes uninitialised: one that is not filled exactly would send other people's data.
  if (pos !== length) throw new Error(`encoded ${pos} bytes where ${length} were counted`)
  return out
}

/** Undefined: it is none. */
export function decodeResult (bytes: Uint8Array): ItemResult | undefined {
  const reader = new WireReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  let id = 0
  let missing: number[] | undefined
  let moved: number[] | undefined
  let count = 0
  let failed = false
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case ID:
        id = Number(reader.int64())
        break
      case MISSING:
      case MISSING_PACKED:
        readPositions(reader, tag === MISSING_PACKED, missing ??= [])
        break
      case MOVED:
      case MOVED_PACKED:
        readPositions(reader, tag === MOVED_PACKED, moved ??= [])
        break
      case COUNT:
        count = reader.int32() >>> 0
        break
      case FAILED:
        failed = reader.bool()
        break
      default:
        if (tag >>> 3 > LAST_FIELD) reader.skip(tag, 1)
        else reader.fail()
    }
    // Behind a failure `end` may have been put back, and the loop would go on.
    if (reader.failed) return undefined
  }
  return { id, missing: missing ?? NONE, moved: moved ?? NONE, count, failed }
}

function readPositions (reader: WireReader, isPacked: boolean, positions: number[]): void {
  if (!isPacked) {
    positions.push(reader.int32() >>> 0)
    return
  }
  const outer = reader.enter()
  while (reader.pos < reader.end) positions.push(reader.int32() >>> 0)
  reader.end = outer
}
