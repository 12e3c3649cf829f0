import { addressText, parseAddress, type Address } from '../config/address.js'

/** What a Redis URL says. Users and passwords are decoded. */
export interface RedisUrl {
  kind: 'single' | 'sentinel' | 'cluster'
  tls: boolean
  /** One where single; the sentinels; or some nodes of the Redis Cluster. */
  addresses: Array<Address & { port: number }>
  /** Empty: the default user. */
  user: string
  /** Empty: none. */
  password: string
  database: number
  /** Sentinel only; what the sentinels themselves want. */
  masterName: string
  sentinelUser: string
  sentinelPassword: string
}

/** Why a text is no Redis URL. Never repeats the text: it may hold a password. */
export class RedisUrlError extends Error {
  readonly code = 'MICS_REDIS_URL'
}

const kinds: Record<string, { kind: RedisUrl['kind'], tls: boolean, port: number }> = {
  redis: { kind: 'single', tls: false, port: 6379 },
  rediss: { kind: 'single', tls: true, port: 6379 },
  'redis-sentinel': { kind: 'sentinel', tls: false, port: 26379 },
  'rediss-sentinel': { kind: 'sentinel', tls: true, port: 26379 },
  'redis-cluster': { kind: 'cluster', tls: false, port: 6379 },
  'rediss-cluster': { kind: 'cluster', tls: true, port: 6379 },
}

const mask = '****'

/**
 * Reads `scheme://[user:password@]host[:port][,host[:port]...][/database][?sentinelPassword=...][#master]`. By hand:
 * the URL of the WHATWG has one host.
 * @throws {RedisUrlError}
 */
export function parseRedisUrl (text: string): RedisUrl {
  const match = /^([a-z-]+):\/\/(?:([^/?#]*)@)?([^@/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(?:#(.*))?$/s.exec(text)
  if (match === null) throw new RedisUrlError('is not a URL; special characters of a password are percent-encoded')
  const [, scheme, credentials, hosts, path = '', query, fragment] = match
  const form = Object.hasOwn(kinds, scheme) ? kinds[scheme] : undefined
  if (form === undefined) {
    throw new RedisUrlError('does not begin with redis://, redis-sentinel:// or redis-cluster://, or with rediss in place of redis')
  }
  const { kind, tls, port } = form
  return {
    kind,
    tls,
    addresses: addressesIn(hosts, kind, port),
    ...credentialsIn(credentials),
    database: databaseIn(path, kind),
    masterName: masterIn(fragment, kind),
    ...sentinelCredentialsIn(query, kind),
  }
}

/** What is wrong with a Redis URL, or undefined. */
export function checkRedisUrl (text: string): string | undefined {
  try {
    parseRedisUrl(text)
    return undefined
  } catch (error) {
    if (error instanceof RedisUrlError) return error.message
    throw error
  }
}

/** The URL without its passwords, for people. A text that is no Redis URL becomes all mask. */
export function maskRedisUrl (text: string): string {
  if (checkRedisUrl(text) !== undefined) return mask
  return text
    .replace(/(?<=^[a-z-]+:\/\/[^/?#]*?:)[^/?#]*(?=@)/s, mask)
    .replace(/(?<=[?&]sentinelPassword=)[^&#]*/g, mask)
}

/** Where it leads, without user and password: `a:26379, b:26379 (master mymaster)`. */
export function redisPlace ({ addresses, masterName }: RedisUrl): string {
  const list = addresses.map(addressText).join(', ')
  return masterName === '' ? list : `${list} (master ${masterName})`
}

function addressesIn (hosts: string, kind: RedisUrl['kind'], defaultPort: number): RedisUrl['addresses'] {
  if (hosts === '') throw new RedisUrlError('names no host')
  const list = hosts.split(',')
  if (kind === 'single' && list.length > 1) {
    throw new RedisUrlError('names several hosts: begin with redis-sentinel:// or redis-cluster:// where these are what they are')
  }
  return list.map((text, index) => {
    const address = parseAddress(text)
    if (address === undefined) {
      const which = list.length === 1 ? 'has no host or host:port' : `has no host or host:port at position ${index + 1} of the list`
      throw new RedisUrlError(`${which}; special characters of a password are percent-encoded`)
    }
    return { host: address.host, port: address.port ?? defaultPort }
  })
}

function credentialsIn (text: string | undefined): Pick<RedisUrl, 'user' | 'password'> {
  if (text === undefined) return { user: '', password: '' }
  const colon = text.indexOf(':')
  if (colon === -1) throw new RedisUrlError('has a user without a password; a password alone is written :password@')
  const user = decoded(text.slice(0, colon))
  const password = decoded(text.slice(colon + 1))
  if (password === '') throw new RedisUrlError('has an empty password; leave it out with its colon and at sign')
  return { user, password }
}

function databaseIn (path: string, kind: RedisUrl['kind']): number {
  if (path === '') return 0
  if (kind === 'cluster') throw new RedisUrlError('has something after the hosts; a Redis Cluster has no database numbers')
  if (!/^\d{1,9}$/.test(path)) throw new RedisUrlError('has something other than a database number after the host')
  return Number(path)
}

function masterIn (fragment: string | undefined, kind: RedisUrl['kind']): string {
  if (kind === 'sentinel') {
    if (fragment === undefined || fragment === '') throw new RedisUrlError('names no master; it ends in # and the name that the sentinels know it by')
    return decoded(fragment)
  }
  if (fragment !== undefined) throw new RedisUrlError('has a # that only redis-sentinel:// has; in a password it is written %23')
  return ''
}

function sentinelCredentialsIn (
  query: string | undefined, kind: RedisUrl['kind']
): Pick<RedisUrl, 'sentinelUser' | 'sentinelPassword'> {
  const found = { sentinelUser: '', sentinelPassword: '' }
  if (query === undefined) return found
  for (const parameter of query.split('&')) {
    const [name, value = ''] = parameter.split(/=(.*)/s)
    if (kind !== 'sentinel' || !Object.hasOwn(found, name)) {
      throw new RedisUrlError('has a query; only redis-sentinel:// takes one, of sentinelUser and sentinelPassword')
    }
    found[name as keyof typeof found] = decoded(value)
  }
  if (found.sentinelUser !== '' && found.sentinelPassword === '') throw new RedisUrlError('has a sentinelUser without sentinelPassword')
  return found
}

function decoded (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new RedisUrlError('has a % that begins no percent-encoding; a % itself is written %25', { cause: error })
  }
}
