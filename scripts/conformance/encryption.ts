import { createCipheriv } from 'node:crypto'
import { hex } from './field-values.js'

// As conformance/README.md, "Encrypted bodies", says it, with OpenSSL's AES-256-GCM: none of a client's own code.

interface Context { tenant_id: string, msg_id: string, to_user_id: string, group_id: string }

interface Sealed { keyId: string, key: Buffer, iv: Buffer, context: Context, text: Buffer }

const VERSION = 1

const key = Buffer.from(Array.from({ length: 32 }, (_, at) => at * 7 + 1))
const anotherKey = Buffer.alloc(32, 0xa5)
const iv = Buffer.from('000102030405060708090a0b', 'hex')
const toBob: Context = { tenant_id: 'acme', msg_id: 'm1', to_user_id: 'bob', group_id: '' }
const toTeam: Context = { tenant_id: 'acme', msg_id: 'm1', to_user_id: '', group_id: 'team' }
const hello: Sealed = { keyId: 'k1', key, iv, context: toBob, text: Buffer.from('hello') }

function aad ({ tenant_id: tenant, to_user_id: user, group_id: group, msg_id: id }: Context): Buffer {
  return Buffer.concat([Buffer.from([VERSION]), ...[tenant, user, group, id].flatMap(text => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(Buffer.byteLength(text))
    return [length, Buffer.from(text)]
  })])
}

function sealed ({ keyId, key, iv, context, text }: Sealed): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(context))
  const id = Buffer.from(keyId)
  const header = [Buffer.from([VERSION, id.length]), id, iv]
  return Buffer.concat([...header, cipher.update(text), cipher.final(), cipher.getAuthTag()])
}

export function encryption (): object {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const sealings: [name: string, change: Partial<Sealed>][] = [
    ['to one user', {}],
    ['to a group', { context: toTeam }],
    ['an empty text', { text: Buffer.alloc(0) }],
    ['a text of 16 bytes, which is one block', { text: Buffer.from('0123456789abcdef') }],
    ['a text of every byte', { text: every }],
    ['text beyond ASCII', { text: Buffer.from('h\u00e9llo \u{1f44b} \u4f60\u597d') }],
    ['another key, of which the IV is all ones', { keyId: 'k2', key: anotherKey, iv: Buffer.alloc(12, 0xff) }],
    ['a key id beyond ASCII: its length is in bytes', { keyId: '\u043a\u043b\u044e\u0447' }],
    ['the longest key id, of 255 bytes', { keyId: 'k'.repeat(255) }],
    ['ids beyond ASCII: their lengths are in bytes', { context: { tenant_id: 't\u00e9', msg_id: '\u{1f600}', to_user_id: '\u738b\u82b3', group_id: '' } }],
    ['ids that begin with U+FEFF, which is part of them', { context: { ...toBob, to_user_id: '\ufeffbob' } }],
    ['an id of 300 bytes', { context: { ...toBob, msg_id: 'm'.repeat(300) } }],
  ]
  const keys = { k1: hex(key) }
  const body = sealed(hello)
  const changedAt = (at: number, bits = 1): Buffer => {
    const changed = Buffer.from(body)
    changed[at < 0 ? body.length + at : at] ^= bits
    return changed
  }
  const refusals: [name: string, body: Buffer, reason: string, context?: Context, keys?: Record<string, string>][] = [
    ['another msg_id', body, 'not_authentic', { ...toBob, msg_id: 'm2' }],
    ['another recipient', body, 'not_authentic', { ...toBob, to_user_id: 'carol' }],
    ['another tenant', body, 'not_authentic', { ...toBob, tenant_id: 'acmf' }],
    ['the recipient as a group', body, 'not_authentic', { ...toBob, to_user_id: '', group_id: 'bob' }],
    ['ids of which a character moved to the next', body, 'not_authentic', { ...toBob, tenant_id: 'acm', to_user_id: 'ebob' }],
    ['another key of that id', body, 'not_authentic', toBob, { k1: hex(anotherKey) }],
    ['a changed IV', changedAt(4), 'not_authentic'],
    ['a changed text', changedAt(-17), 'not_authentic'],
    ['a changed tag', changedAt(-1), 'not_authentic'],
    ['a tag that is cut off by a byte', body.subarray(0, -1), 'not_authentic'],
    ['a byte more at the end', Buffer.concat([body, Buffer.alloc(1)]), 'not_authentic'],
    ['a key id that is not known', body, 'unknown_key', toBob, { k2: hex(key) }],
    ['a key id that is the name of something in JavaScript', sealed({ ...hello, keyId: 'constructor' }), 'unknown_key'],
    ['another version', changedAt(0, 3), 'not_encrypted'],
    ['a key id longer than the body', changedAt(1, 0x80), 'not_encrypted'],
    ['no room for a tag', body.subarray(0, 4 + 12 + 15), 'not_encrypted'],
    ['nothing but a version', body.subarray(0, 1), 'not_encrypted'],
    ['no bytes', Buffer.alloc(0), 'not_encrypted'],
    ['a text that is not encrypted', Buffer.from('hello'), 'not_encrypted'],
  ]
  return {
    description: 'Bodies encrypted with AES-256-GCM, as conformance/README.md describes. cases: with key and iv, plaintext is body in a message with these ids. refused: what a client that has these keys, by their ids, must not take for a message with these ids; not_encrypted: it is not of this format; unknown_key: there is no key of its id; not_authentic: the tag does not hold.',
    cases: sealings.map(([name, change]) => {
      const one = { ...hello, ...change }
      return {
        name,
        key_id: one.keyId,
        key: hex(one.key),
        iv: hex(one.iv),
        context: one.context,
        plaintext: hex(one.text),
        body: hex(sealed(one)),
      }
    }),
    refused: refusals.map(([name, body, reason, context = toBob, known = keys]) => (
      { name, keys: known, context, body: hex(body), reason })),
  }
}
