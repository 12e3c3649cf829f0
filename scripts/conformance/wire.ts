/** Fields in the bytes of protobuf, for what no library would write. */

export function varint (value: bigint | number): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

export function varintField (field: number, value: bigint | number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)])
}

export function bytesField (field: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([varint(field << 3 | 2), varint(bytes.length), bytes])
}

/** A field of each wire type with numbers from 1001 that nobody knows, the group with a field in it. */
export const unknownFields = Buffer.concat([
  varintField(1001, 150),
  varint(1002 << 3 | 1), Buffer.from('0102030405060708', 'hex'),
  bytesField(1003, 'of a newer version'),
  varint(1004 << 3 | 3), varintField(1, 7), bytesField(2, 'inside'), varint(1004 << 3 | 4),
  varint(1005 << 3 | 5), Buffer.from('01020304', 'hex'),
])
