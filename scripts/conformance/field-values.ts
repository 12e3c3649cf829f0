import { fromBinary, isFieldSet, type DescMessage, type Message } from '@bufbuild/protobuf'
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect'
import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire'

// By itself the library drops a U+FEFF at the beginning of a string, which is part of it in every other language.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
configureTextEncoding({ ...getTextEncoding(), decodeUtf8: bytes => decoder.decode(bytes) })

export type Fields = { [name: string]: unknown }

/** What bytes say, by the names in proto/: bytes as hex, int64 as text, enums as numbers, defaults left out. */
export function fieldsIn (schema: DescMessage, bytes: Uint8Array): Fields {
  return fieldsOf(reflect(schema, fromBinary(schema, bytes) as Message))
}

function fieldsOf (message: ReflectMessage): Fields {
  const fields: Fields = {}
  for (const field of message.fields) {
    if (!isFieldSet(message.message, field)) continue
    const value: unknown = message.get(field)
    if (field.fieldKind === 'list') fields[field.name] = [...value as Iterable<unknown>].map(plain)
    else fields[field.name] = plain(value)
  }
  return fields
}

function plain (value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return hex(value)
  if (typeof value === 'object' && value !== null) return fieldsOf(value as ReflectMessage)
  return value
}

export function hex (bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
