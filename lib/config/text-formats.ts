import { isIP } from 'node:net'
import { checkHookUrl } from '../tenants/hook-url.js'
import type { TextFormat } from './environment.js'

/** What is wrong with a value, or undefined. Never repeats the value: it may be a secret. */
type Check = (value: string) => string | undefined

export const textFormats: Record<TextFormat, Check> = {
  'node-id': value => /^[A-Za-z0-9._:-]{1,128}$/.test(value) ? undefined : 'is not a node name',
  host: value => isHost(value) ? undefined : 'is not a host',
  'base-url': checkHookUrl,
  path: value => value.includes('\0') ? 'contains a NUL character' : undefined,
  redis: checkRedis,
  kafka: checkBrokers,
  token: value => /^[\x21-\x7e]{1,1024}$/.test(value) ? undefined : 'contains a space or another character that cannot be sent, or is too long',
}

/** One spelling for what may be written in several: addresses become Redis URLs, brokers get their port. */
export function normalizeText (format: TextFormat, value: string): string {
  if (format === 'redis' && !value.includes('://')) return `redis://${hasPort(value) ? value : `${value}:6379`}`
  if (format === 'kafka') {
    return value.split(',').map(broker => broker.trim()).map(broker => hasPort(broker) ? broker : `${broker}:9092`).join(',')
  }
  return value
}

function checkRedis (value: string): string | undefined {
  if (!value.includes('://')) {
    if (value.includes(',')) return 'contains a comma: give one address, and a password within a redis:// URL'
    return isHostAndPort(value) ? undefined : 'is not host:port'
  }
  if (!URL.canParse(value)) return 'is not a URL; special characters of a password are percent-encoded'
  const { protocol, hostname, pathname, hash } = new URL(value)
  if (protocol !== 'redis:' && protocol !== 'rediss:') return 'does not begin with redis:// or rediss://'
  if (hostname === '') return 'names no host'
  if (hash !== '' || !/^\/?\d*$/.test(pathname)) return 'has something other than a database number after the host'
  return undefined
}

function checkBrokers (value: string): string | undefined {
  const brokers = value.split(',').map(broker => broker.trim())
  const position = brokers.findIndex(broker => !isHostAndPort(broker))
  return position === -1 ? undefined : `has no host:port at position ${position + 1} of the list`
}

function isHost (value: string): boolean {
  return isIP(value) !== 0 || /^(?!-)[A-Za-z0-9_.-]{1,253}$/.test(value)
}

/** `host`, `host:port`, `[::1]` or `[::1]:port`. */
function isHostAndPort (value: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(value)
  if (match === null) return false
  const [, ipv6, host, port] = match
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return false
  return ipv6 === undefined ? isHost(host ?? '') : isIP(ipv6) === 6
}

function hasPort (value: string): boolean {
  return /:\d+$/.test(value)
}
