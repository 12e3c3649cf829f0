import type { BodyEncryption, EncryptionContext } from './encryption-port.js'
import { isBytes } from './bytes.js'
import { decodeUtf8, encodeUtf8 } from './utf8.js'

export type { BodyEncryption, EncryptionContext }

export interface AesGcmOptions {
  /**
   * The keys by id: 32 random bytes each, or CryptoKeys of AES-GCM with 256 bits. A function is asked for each body and
   * may fetch the key; undefined is for an id that it does not know. Give it CryptoKeys, to save an import each time.
   */
  keys: Readonly<Record<string, Uint8Array | CryptoKeyLike>> | KeyLookup
  /** The id of the key to encrypt with, at most 255 bytes of UTF-8. A function is asked for each message. */
  keyId: string | ((context: EncryptionContext) => string)
}

export type KeyLookup = (keyId: string) =>
  Uint8Array | CryptoKeyLike | undefined | Promise<Uint8Array | CryptoKeyLike | undefined>

/** As much of a CryptoKey as is looked at, which every CryptoKey has. */
export interface CryptoKeyLike {
  readonly type: string
  readonly algorithm: { readonly name: string }
  readonly usages: readonly string[]
}

export type BodyEncryptionErrorCode =
  /** There is no key of that id: `keyId` names it. */
  | 'MICS_KEY_UNKNOWN'
  /** A key or a key id cannot be used. */
  | 'MICS_KEY_INVALID'
  /** The body that came is not of this format. */
  | 'MICS_NOT_ENCRYPTED'
  /** The body was changed, or is another message's, or was encrypted with another key of that id. */
  | 'MICS_DECRYPTION_FAILED'
  /** The platform has no WebCrypto. */
  | 'MICS_NO_WEBCRYPTO'

/** Why a body was not encrypted or decrypted. The client reports it as the `cause` of MICS_ENCRYPTION_FAILED. */
export class BodyEncryptionError extends Error {
  override readonly name = 'BodyEncryptionError'

  constructor (
    readonly code: BodyEncryptionErrorCode, message: string, readonly keyId?: string, cause?: unknown
  ) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

const VERSION = 1
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts bodies with AES-256-GCM by WebCrypto, for `encryption` of the client's options. The gateway and the tenant's
 * hooks then see who writes to whom and when, and how much, and not what.
 *
 * A body on the wire, for clients in other languages:
 *
 * | bytes | |
 * |---|---|
 * | 1 | version: 1 |
 * | 1 | n, the length of the key id, from 1 to 255 |
 * | n | the key id, UTF-8 |
 * | 12 | the IV: random, new for each message |
 * | the rest | the ciphertext, as long as the text, and behind it the tag of 16 bytes |
 *
 * The additional authenticated data (AAD) is one byte, the version, and then `tenant_id`, `to_user_id`, `group_id` and
 * `msg_id` of the message, in this order, each as its length in bytes (4 bytes, big-endian) and its UTF-8. So a body
 * that is moved to another message, recipient or group is refused. A body becomes 30 bytes and the key id larger.
 *
 * An example: with 32 bytes 0x07 as the key `k1` and 12 bytes 0x03 as the IV, `hello` in the message `m1` of the tenant
 * `acme` to the user `bob` is, in hex, `01026b310303030303030303030303034d9bcf6f3501e9dae723050e809e31a014f5bdbfb7`.
 *
 * To change keys: give everybody the new one beside the old one, then encrypt with the new one's id, and take the old
 * one away when no message of it can still come. Do so before a key has encrypted 2^32 messages: by then random IVs may
 * repeat, and with a repeated IV the encryption breaks.
 *
 * What it does not do. It agrees on no keys: how users get them is the app's part. Whoever has a key can read all that
 * was ever encrypted with it (no forward secrecy), and can write: that the sender is who it says is vouched for by the
 * gateway, and not by this. The gateway drops a message's repeats for 10 minutes only and clients remember some; an
 * operator who sends an old message again later is not noticed here.
 *
 * @throws BodyEncryptionError where a key of `keys` or `keyId` cannot be used
 */
export function aesGcm (options: AesGcmOptions): BodyEncryption {
  const { keyId } = options
  const lookup = typeof options.keys === 'function' ? options.keys : keyRing(options.keys)
  if (typeof keyId === 'string') {
    keyIdBytes(keyId)
    if (typeof options.keys !== 'function' && !Object.keys(options.keys).includes(keyId)) throw unknownKey(keyId)
  }

  async function keyOf (id: string, usage: 'encrypt' | 'decrypt'): Promise<AesKey> {
    const found = await lookup(id)
    if (found === undefined) throw unknownKey(id)
    const key = await importKey(id, found)
    if (key.usages.includes(usage)) return key
    throw new BodyEncryptionError('MICS_KEY_INVALID',
      `key ${quoted(id)} may not ${usage}: give a CryptoKey whose usages have '${usage}'`, id)
  }

  return {
    async encrypt (body, context) {
      const id = typeof keyId === 'string' ? keyId : keyId(context)
      const idBytes = keyIdBytes(id)
      const key = await keyOf(id, 'encrypt')
      const iv = webCrypto().getRandomValues(new Uint8Array(IV_BYTES))
      const sealed = await webCrypto().subtle.encrypt(parameters(iv, context), key, body as Uint8Array<ArrayBuffer>)
      const header = 2 + idBytes.length
      const out = new Uint8Array(header + IV_BYTES + sealed.byteLength)
      out[0] = VERSION
      out[1] = idBytes.length
      out.set(idBytes, 2)
      out.set(iv, header)
      out.set(new Uint8Array(sealed), header + IV_BYTES)
      return out
    },

    async decrypt (body, context) {
      const header = 2 + body[1]
      if (body[0] !== VERSION || !(body.length >= header + IV_BYTES + TAG_BYTES)) {
        throw new BodyEncryptionError('MICS_NOT_ENCRYPTED', 'the body is not encrypted in the format of version ' +
          `${VERSION}: its sender uses no encryption, or another one`)
      }
      const id = decodeUtf8(body.subarray(2, header))
      const key = await keyOf(id, 'decrypt')
      const iv = body.subarray(header, header + IV_BYTES)
      const sealed = body.subarray(header + IV_BYTES) as Uint8Array<ArrayBuffer>
      try {
        return new Uint8Array(await webCrypto().subtle.decrypt(parameters(iv, context), key, sealed))
      } catch (cause) {
        throw new BodyEncryptionError('MICS_DECRYPTION_FAILED', `the body cannot be decrypted with key ${quoted(id)}: it was ` +
          'changed, or belongs to another message, or the sender\'s key of that id is another one', id, cause)
      }
    },
  }
}

type AesKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Looks keys up in a copy, each checked now and imported once. */
function keyRing (keys: Readonly<Record<string, Uint8Array | CryptoKeyLike>>): KeyLookup {
  const ring = new Map<string, Uint8Array | CryptoKeyLike | Promise<CryptoKeyLike>>()
  for (const [id, key] of Object.entries(keys)) {
    checkKey(id, key)
    ring.set(id, isBytes(key) ? new Uint8Array(key) : key)
  }
  return id => {
    const key = ring.get(id)
    if (key === undefined || !isBytes(key)) return key
    const imported = importKey(id, key)
    // Where it fails, as without WebCrypto, the next message tries again.
    imported.catch(() => ring.set(id, key))
    ring.set(id, imported)
    return imported
  }
}

async function importKey (id: string, key: Uint8Array | CryptoKeyLike): Promise<AesKey> {
  checkKey(id, key)
  if (!isBytes(key)) return key as AesKey
  return webCrypto().subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

function checkKey (id: string, key: Uint8Array | CryptoKeyLike): void {
  if (isBytes(key)) {
    if (key.length === KEY_BYTES) return
    throw new BodyEncryptionError('MICS_KEY_INVALID',
      `key ${quoted(id)} has ${key.length} bytes: give it ${KEY_BYTES} random ones`, id)
  }
  const { name, length } = ((key as CryptoKeyLike | null)?.algorithm ?? {}) as { name?: string, length?: number }
  if (name === 'AES-GCM' && length === KEY_BYTES * 8) return
  throw new BodyEncryptionError('MICS_KEY_INVALID',
    `key ${quoted(id)} cannot be used: give a Uint8Array of ${KEY_BYTES} bytes or a CryptoKey of AES-GCM with 256 bits`, id)
}

function unknownKey (id: string): BodyEncryptionError {
  return new BodyEncryptionError('MICS_KEY_UNKNOWN', `there is no key ${quoted(id)}: give it in \`keys\``, id)
}

function keyIdBytes (id: string): Uint8Array {
  const bytes = encodeUtf8(id)
  if (bytes.length > 0 && bytes.length < 256) return bytes
  throw new BodyEncryptionError('MICS_KEY_INVALID',
    `a key id has 1 to 255 bytes of UTF-8, not ${bytes.length}: give the key another one`, id)
}

function parameters (iv: Uint8Array, context: EncryptionContext) {
  const { tenantId, toUserId, groupId, msgId } = context
  const parts = [tenantId, toUserId, groupId, msgId].map(encodeUtf8)
  const additionalData = new Uint8Array(parts.reduce((sum, { length }) => sum + 4 + length, 1))
  const view = new DataView(additionalData.buffer)
  additionalData[0] = VERSION
  let at = 1
  for (const part of parts) {
    view.setUint32(at, part.length)
    additionalData.set(part, at + 4)
    at += 4 + part.length
  }
  return { name: 'AES-GCM', iv: iv as Uint8Array<ArrayBuffer>, additionalData, tagLength: TAG_BYTES * 8 }
}

function webCrypto (): typeof crypto {
  const found = (globalThis as { crypto?: typeof crypto }).crypto
  if (found?.subtle !== undefined) return found
  throw new BodyEncryptionError('MICS_NO_WEBCRYPTO', 'this platform has no WebCrypto: browsers have it in pages from ' +
    'https or localhost, Node.js from version 20. Mini programs have none: implement BodyEncryption another way there')
}

function quoted (id: string): string {
  return JSON.stringify(id.length > 64 ? `${id.slice(0, 64)}…` : id)
}
