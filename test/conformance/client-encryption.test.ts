import { webcrypto } from 'node:crypto'
import t from 'tap'
import { aesGcm, type EncryptionContext } from '../../sdk/client/src/encryption.js'
import { bytesOf, vectors, type EncryptionIds } from './vectors.js'

const codes = {
  not_encrypted: 'MICS_NOT_ENCRYPTED',
  unknown_key: 'MICS_KEY_UNKNOWN',
  not_authentic: 'MICS_DECRYPTION_FAILED',
}

t.test('@mics/client encrypts as the vectors do, and reads what they encrypted', async t => {
  for (const { name, key_id: keyId, key, iv, context, plaintext, body } of vectors('encryption').cases) {
    const encryption = aesGcm({ keys: { [keyId]: bytesOf(key) }, keyId })
    const read = await encryption.decrypt(bytesOf(body), contextOf(context))
    t.equal(Buffer.from(read).toString('hex'), plaintext, name)
    t.intercept(globalThis, 'crypto', {
      value: { subtle: webcrypto.subtle, getRandomValues: () => new Uint8Array(bytesOf(iv)) },
    })
    const written = await encryption.encrypt(bytesOf(plaintext), contextOf(context))
    t.equal(Buffer.from(written).toString('hex'), body, name)
  }
})

t.test('@mics/client refuses what the vectors refuse, and says why', async t => {
  for (const { name, keys, context, body, reason } of vectors('encryption').refused) {
    const bytes = Object.fromEntries(Object.entries(keys).map(([id, key]) => [id, bytesOf(key)]))
    const encryption = aesGcm({ keys: bytes, keyId: Object.keys(keys)[0] })
    await t.rejects(encryption.decrypt(bytesOf(body), contextOf(context)), { code: codes[reason] }, name)
  }
})

function contextOf (ids: EncryptionIds): EncryptionContext {
  return { tenantId: ids.tenant_id, msgId: ids.msg_id, toUserId: ids.to_user_id, groupId: ids.group_id }
}
