import { createHash } from 'node:crypto'

const MAX_LENGTH = 249

/** Begins an escape; two hex digits in capitals follow. */
const MARK = '-x'

/** No byte of UTF-8: what begins an id that became a hash. */
const HASH_MARK = `${MARK}FF`
const HASH_LENGTH = 64

/** The topic of a tenant. `template` holds `{tenant_id}` once. See "Topics" in docs/protocol.md. */
export function topicName (template: string, tenantId: string): string {
  const parts = template.split('{tenant_id}')
  if (parts.length !== 2) throw new TypeError(`a template of topics must hold {tenant_id} once: ${template}`)
  const [prefix, suffix] = parts
  const room = MAX_LENGTH - prefix.length - suffix.length
  const escaped = escape(tenantId)
  if (escaped.length <= room) return prefix + escaped + suffix
  const hash = createHash('sha256').update(tenantId).digest('hex')
  return prefix + escaped.slice(0, room - HASH_MARK.length - HASH_LENGTH) + HASH_MARK + hash + suffix
}

function escape (tenantId: string): string {
  if (tenantId === '.' || tenantId === '..') return escapeBytes(tenantId)
  return tenantId.replace(/-(?=x[0-9A-F]{2})|[^a-zA-Z0-9._-]/gu, escapeBytes)
}

function escapeBytes (text: string): string {
  return Buffer.from(text).toString('hex').toUpperCase().replace(/../g, `${MARK}$&`)
}
