type SecretsOfTenant = string | readonly string[] | undefined

/**
 * What calls and events are signed with: one secret; several, each of which is accepted, for the time in which a secret
 * is changed; or a function for a server of several tenants, which returns undefined for a tenant that it does not
 * know. The function is asked for every call: it should remember what it looked up.
 */
export type Secrets =
  | string
  | readonly string[]
  | ((tenantId: string) => SecretsOfTenant | Promise<SecretsOfTenant>)

/** Throws a TypeError where `secrets` are given and hold none, or an empty one. */
export function checkSecrets (secrets: Secrets): void {
  if (typeof secrets !== 'function') listOf(secrets)
}

/** The secrets of a tenant, none where it is unknown. */
export async function secretsOf (secrets: Secrets, tenantId: string): Promise<readonly string[]> {
  const found = typeof secrets === 'function' ? await secrets(tenantId) : secrets
  return found === undefined || found === null ? [] : listOf(found)
}

function listOf (secrets: string | readonly string[]): readonly string[] {
  const list = typeof secrets === 'string' ? [secrets] : secrets
  const isGood = Array.isArray(list) && list.length > 0 && list.every(secret => typeof secret === 'string' && secret !== '')
  if (!isGood) {
    throw new TypeError('secrets must be a string that is not empty, a list of such, or a function that returns one of these')
  }
  return list
}
