import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf'
import { fieldsIn, hex, type Fields } from './field-values.js'

export interface FrameCase {
  name: string
  /** What the bytes say; what is left out is at its default. */
  fields: Fields
  bytes: string
  /** Are these the bytes that an encoder makes of the fields? */
  canonical: boolean
}

export interface InvalidCase {
  name: string
  bytes: string
  /** Libraries differ: one may also read it. */
  lenient?: true
}

/** Bytes that the library makes of values. */
export function canonical<Desc extends DescMessage> (
  schema: Desc, name: string, values: MessageInitShape<Desc>
): FrameCase {
  const bytes = toBinary(schema, create(schema, values))
  return { name, fields: fieldsIn(schema, bytes), bytes: hex(bytes), canonical: true }
}

/** Bytes that others may make, and that must be understood all the same. */
export function decodable (schema: DescMessage, name: string, bytes: Uint8Array): FrameCase {
  return { name, fields: fieldsIn(schema, bytes), bytes: hex(bytes), canonical: false }
}

/** What is wrong in every message: `start` is the beginning of a valid one. */
export function invalidAnywhere (): InvalidCase[] {
  return [
    { name: 'a length beyond the end', bytes: '0a05' },
    { name: 'a tag without a value', bytes: '0a' },
    { name: 'a submessage that ends in the middle of a field', bytes: '0a022205' },
    { name: 'a varint that does not end', bytes: '0a0348ffff' },
    { name: 'a varint of eleven bytes', bytes: '0a0c48ffffffffffffffffffff01', lenient: true },
    { name: 'field number 0', bytes: '0200' },
    { name: 'wire type 6', bytes: 'ce3e00' },
    { name: 'wire type 7', bytes: 'cf3e00' },
    { name: 'a group that does not end', bytes: 'e33e0801' },
    { name: 'a group that ends and did not begin', bytes: 'e43e' },
    { name: 'text', bytes: hex(Buffer.from('hello, gateway')), lenient: true },
  ]
}
