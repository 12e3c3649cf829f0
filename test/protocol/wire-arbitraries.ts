import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'

// Protobuf's wire format as fast-check arbitraries: what a client in any language may legally send, in every legal
// spelling, and what a hostile one may.

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export const text = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\u0000', '\uFEFF'), maxLength: 8 }),
  fc.string({ unit: 'binary-ascii', minLength: 240, maxLength: 300 }),
  fc.string({ unit: 'grapheme', minLength: 240, maxLength: 300 })
)

/** Strings that only UTF-16 knows, lone surrogates among them. */
export const utf16 = fc.array(fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0xd800, max: 0xdfff }),
  fc.integer({ min: 0x20, max: 0x7e })
), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes))

export const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 127, 128, 0x7fffffff, -0x80000000))

export const uint32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }),
  ...[7, 14, 21, 28, 31, 32].map((bits) => fc.constantFrom(2 ** bits - 1, 2 ** bits % 2 ** 32)))

/** The whole range, and closely around each power of two, where sizes and roundings change. */
export const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: -2, max: 2 }), fc.constantFrom(1n, -1n))
    .map(([bits, off, sign]) => BigInt.asIntN(64, sign * (2n ** BigInt(bits) + BigInt(off)))),
  fc.integer({ min: 1_600_000_000_000, max: 2_000_000_000_000 }).map(BigInt)
)

/** Bodies of all sizes; large ones filled with a pattern, so that a failure stays readable. */
export const body: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2000 }).map(filled) },
  { weight: 1, arbitrary: fc.integer({ min: 65_300, max: 65_700 }).map(filled) }
)

function filled (length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 31 + length)
}

export function tagged (no: number, type: WireType, value: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(no, type).raw(value).finish()
}

export function prefixed (no: number, value: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(no, WireType.LengthDelimited).bytes(value).finish()
}

/** A varint, perhaps longer than it needs to be: legal up to ten bytes. */
export function varint (value: bigint, padding = 0): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  do {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  } while (rest > 0n)
  for (let i = 0; i < padding && bytes.length < 10; i++) bytes.push(0x80)
  bytes[bytes.length - 1] &= 0x7f
  return Uint8Array.from(bytes)
}

export const anyVarint = fc.tuple(int64, fc.oneof(fc.constant(0), fc.nat(9)))
  .map(([value, padding]) => varint(value, padding))

/** A length-delimited field whose length is spelled with a needlessly long varint. */
export function overlong (no: number, value: Uint8Array, padding: number): Uint8Array {
  return Buffer.concat([tagged(no, WireType.LengthDelimited, varint(BigInt(value.length), padding)), value])
}

/** A field of a number from `first` up, of any wire type: skipped by whoever does not know it. */
export function unknownField (first: number): fc.Arbitrary<Uint8Array> {
  const no = fc.oneof(fc.integer({ min: first, max: first + 20 }), fc.integer({ min: first, max: 2 ** 29 - 1 }))
  const { field } = fc.letrec<{ field: Uint8Array }>((tie) => ({
    field: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(no, anyVarint).map(([n, value]) => tagged(n, WireType.Varint, value)),
      fc.tuple(no, exactly(8)).map(([n, value]) => tagged(n, WireType.Bit64, value)),
      fc.tuple(no, exactly(4)).map(([n, value]) => tagged(n, WireType.Bit32, value)),
      fc.tuple(no, fc.uint8Array({ maxLength: 40 }), fc.nat(3))
        .map(([n, value, padding]) => overlong(n, value, padding)),
      fc.tuple(no, fc.array(tie('field'), { maxLength: 3 })).map(([n, fields]) => group(n, fields))
    ),
  }))
  return field
}

function exactly (length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length })
}

export function group (no: number, fields: Uint8Array[]): Uint8Array {
  const start = tagged(no, WireType.StartGroup, new Uint8Array())
  const end = tagged(no, WireType.EndGroup, new Uint8Array())
  return Buffer.concat([start, ...fields, end])
}

/** Damage done to a valid encoding: bits flipped, bytes cut, doubled, inserted. */
export function damaged (valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const wound = fc.record({
    kind: fc.constantFrom('flip', 'cut', 'drop', 'insert', 'double'),
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
  })
  return fc.tuple(valid, fc.array(wound, { minLength: 1, maxLength: 4 })).map(([bytes, wounds]) => {
    let out = Buffer.from(bytes)
    for (const { kind, at, byte } of wounds) {
      const i = at % (out.length + 1)
      if (kind === 'flip' && i < out.length) out[i] ^= 1 << (byte & 7)
      else if (kind === 'cut') out = out.subarray(0, i)
      else if (kind === 'drop') out = Buffer.concat([out.subarray(0, i), out.subarray(i + 1)])
      else if (kind === 'insert') out = Buffer.concat([out.subarray(0, i), Buffer.from([byte]), out.subarray(i)])
      else if (kind === 'double') out = Buffer.concat([out.subarray(0, i), out])
    }
    return out
  })
}

/** The bytes as the middle of a larger buffer, so that reading beside them would show. */
export function embedded (bytes: Uint8Array): Buffer {
  const around = Buffer.alloc(bytes.length + 64, 0xff)
  around.set(bytes, 32)
  return around.subarray(32, 32 + bytes.length)
}
