import { parseDocument } from 'yaml'

export type TenantMap = Record<string, unknown>

/**
 * Tenant ids that the list form takes; any other needs JSON. A narrow alphabet, because what is taken for a tenant id
 * is repeated in messages, and a lone secret with a `=` in it must not be.
 */
export const plainTenantId = /^[A-Za-z0-9._-]{1,128}$/

type Parsed = { map: TenantMap, list: boolean } | { problem: string }

/**
 * Reads `{"t1": value}` or `t1=value,t2=value`. The problem's text never repeats the input, which may hold secrets;
 * JSON.parse's own message does, so it is not passed on.
 */
export function parseTenantMap (text: string): Parsed {
  if (text.startsWith('[')) return { problem: 'is a JSON array' }
  return text.startsWith('{') ? parseJson(text) : parseList(text)
}

function parseJson (text: string): Parsed {
  let parsed: Record<string, unknown>
  try {
    parsed = JSON.parse(text)
  } catch {
    return { problem: 'begins like JSON but is not: look for a missing quote, comma or brace' }
  }
  // JSON.parse lets the last of two equal keys win in silence; YAML, of which JSON is a part, objects.
  const { errors } = parseDocument(text, { prettyErrors: false })
  if (errors.some(({ code }) => code === 'DUPLICATE_KEY')) return { problem: 'names a tenant twice' }
  return { map: withoutPrototype(Object.entries(parsed)), list: false }
}

function parseList (text: string): Parsed {
  const entries: [string, string][] = []
  for (const [index, item] of text.split(',').entries()) {
    const separator = item.indexOf('=')
    if (separator === -1) return { problem: `is neither a JSON object nor a list of tenant=value: item ${index + 1} has no "="` }
    const tenantId = item.slice(0, separator).trim()
    if (!plainTenantId.test(tenantId)) {
      return { problem: `has no plain tenant id before the "=" of item ${index + 1}; ids with other characters need the JSON form` }
    }
    entries.push([tenantId, item.slice(separator + 1).trim()])
  }
  if (new Set(entries.map(([tenantId]) => tenantId)).size < entries.length) return { problem: 'names a tenant twice' }
  return { map: withoutPrototype(entries), list: true }
}

/** A tenant called `constructor` is a tenant like any other, and only where it was given. */
function withoutPrototype (entries: [string, unknown][]): TenantMap {
  const map: TenantMap = Object.create(null)
  for (const [key, value] of entries) map[key] = value
  return map
}
