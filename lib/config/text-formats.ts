import { checkRedisUrl } from '../redis/redis-url.js'
import { checkHookUrl } from '../tenants/hook-url.js'
import { addressText, isHost, parseAddress } from './address.js'
import { mostTokens, mostWorkers, type TextFormat } from './environment.js'

/** What is wrong with a value, or undefined. Never repeats the value: it may be a secret. */
type Check = (value: string) => string | undefined

export const textFormats: Record<TextFormat, Check> = {
  'node-id': value => /^[A-Za-z0-9._:-]{1,128}$/.test(value) ? undefined : 'is not a node name',
  host: value => isHost(value) ? undefined : 'is not a host',
  'base-url': checkHookUrl,
  path: value => value.includes('\0') ? 'contains a NUL character' : undefined,
  redis: checkRedis,
  kafka: checkBrokers,
  topic: checkTopicTemplate,
  credential: value => /^\P{Cc}{1,1024}$/u.test(value) ? undefined : 'contains a control character such as a line break, or is too long',
  tokens: checkTokens,
  workers: checkWorkers,
}

/** One spelling for what may be written in several: addresses become Redis URLs, brokers get their port. */
export function normalizeText (format: TextFormat, value: string): string {
  if (format === 'redis' && !value.includes('://')) return `redis://${withPort(value, 6379)}`
  if (format === 'kafka') return value.split(',').map(broker => withPort(broker.trim(), 9092)).join(',')
  return value
}

/** What is between the commas, to the letter. */
export function splitTokens (value: string): string[] {
  return value === '' ? [] : value.split(',')
}

function checkRedis (value: string): string | undefined {
  if (value.includes('://')) return checkRedisUrl(value)
  if (value.includes(',')) return 'contains a comma: give one address, or a URL, which may have several and a password'
  return parseAddress(value) === undefined ? 'is not host:port' : undefined
}

function checkBrokers (value: string): string | undefined {
  const position = value.split(',').findIndex(broker => parseAddress(broker.trim()) === undefined)
  return position === -1 ? undefined : `has no host:port at position ${position + 1} of the list`
}

/** A topic name has at most 249 characters, a tenant id in it at most 128. */
function checkTopicTemplate (value: string): string | undefined {
  const around = value.split('{tenant_id}')
  if (around.length !== 2) return around.length === 1 ? 'does not contain {tenant_id}' : 'contains {tenant_id} more than once'
  const fixed = around.join('')
  if (!/^[A-Za-z0-9._-]*$/.test(fixed)) return 'contains a character that no topic name may have'
  return fixed.length <= 100 ? undefined : 'is too long'
}

function checkTokens (value: string): string | undefined {
  const tokens = splitTokens(value)
  const empty = tokens.indexOf('')
  if (empty !== -1) return `has an empty token at position ${empty + 1} of the list`
  const bad = tokens.findIndex(token => !/^[\x21-\x7e]{1,1024}$/.test(token))
  if (bad !== -1) {
    const which = tokens.length === 1 ? '' : `, at position ${bad + 1} of the list`
    return `contains a space or another character that cannot be sent, or is too long${which}`
  }
  if (new Set(tokens).size < tokens.length) return 'has the same token twice'
  return tokens.length <= mostTokens ? undefined : `has ${tokens.length} tokens`
}

function checkWorkers (value: string): string | undefined {
  if (value === 'auto') return undefined
  return /^\d{1,9}$/.test(value) && Number(value) >= 1 && Number(value) <= mostWorkers ? undefined : 'is no number of processes'
}

function withPort (address: string, byDefault: number): string {
  const parsed = parseAddress(address)
  return parsed === undefined ? address : addressText({ ...parsed, port: parsed.port ?? byDefault })
}
