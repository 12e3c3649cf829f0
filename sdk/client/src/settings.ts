import { MicsError, textOf } from './errors.js'
import type { MicsClientOptions } from './options.js'
import type { Transport } from './transport.js'

/** The longest that timers can wait: about 24 days. */
const MAX_TIMER_MS = 2_147_483_647

/** The options, checked and complete. */
export interface Settings extends Required<Omit<MicsClientOptions, 'url' | 'token' | 'encryption' | 'signal'>> {
  readonly urls: readonly string[] | (() => Promise<string>)
  readonly token: () => Promise<string>
  readonly encryption: MicsClientOptions['encryption']
  readonly signal: MicsClientOptions['signal']
}

/** @throws {MicsError} MICS_INVALID_ARGUMENT, naming the option */
export function settingsOf (options: MicsClientOptions & { transport: Transport }): Settings {
  const { url, token, transport, encryption, signal, random = Math.random } = options
  const urls = typeof url === 'string' ? [url] : url
  if (typeof urls !== 'function') {
    if (!Array.isArray(urls) || urls.length === 0) throw invalid('url', 'must be a URL, several, or a function')
    for (const one of urls) checkUrl(one)
  }
  if (typeof token !== 'function' && !isFilled(token)) {
    throw invalid('token', 'must be a string that is not empty, or a function')
  }
  if (typeof transport?.open !== 'function') throw invalid('transport', 'must be a Transport')
  if (typeof random !== 'function') throw invalid('random', 'must be a function')
  if (encryption !== undefined &&
    (typeof encryption.encrypt !== 'function' || typeof encryption.decrypt !== 'function')) {
    throw invalid('encryption', 'must have the functions encrypt and decrypt')
  }
  return {
    urls: typeof urls === 'function' ? async () => await askUrl(urls) : [...urls],
    tenantId: filled('tenantId', options.tenantId),
    deviceId: filled('deviceId', options.deviceId),
    token: async () => await askToken(token),
    transport,
    encryption,
    signal,
    random,
    heartbeatTimeoutMs: whole('heartbeatTimeoutMs', options.heartbeatTimeoutMs, 30_000, MAX_TIMER_MS),
    connectTimeoutMs: whole('connectTimeoutMs', options.connectTimeoutMs, 10_000, MAX_TIMER_MS),
    sendTimeoutMs: timeout('sendTimeoutMs', options.sendTimeoutMs, 30_000),
    maxInFlight: whole('maxInFlight', options.maxInFlight, 16),
    outboxMaxMessages: whole('outboxMaxMessages', options.outboxMaxMessages, 1000),
    outboxMaxBytes: whole('outboxMaxBytes', options.outboxMaxBytes, 8 * 1024 * 1024),
    maxBodyBytes: whole('maxBodyBytes', options.maxBodyBytes, 1024 * 1024),
  }
}

/** Milliseconds, or Infinity. */
export function timeout (name: string, value: number | undefined, initial: number): number {
  return value === Infinity ? value : whole(name, value, initial, MAX_TIMER_MS, ', or Infinity')
}

export function invalid (name: string, problem: string): MicsError {
  return new MicsError('MICS_INVALID_ARGUMENT', `${name} ${problem}`)
}

export function isFilled (value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function filled (name: string, value: unknown): string {
  if (!isFilled(value)) throw invalid(name, 'must be a string that is not empty')
  return value
}

function whole (
  name: string, value: number | undefined, initial: number, max = Number.MAX_SAFE_INTEGER, orElse = ''
): number {
  if (value === undefined) return initial
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw invalid(name, `must be a whole number from 1 to ${max}${orElse}`)
  }
  return value
}

function checkUrl (url: unknown): asserts url is string {
  if (typeof url !== 'string' || !/^wss?:\/\/[^/?#]+[^?#]*$/i.test(url)) {
    throw invalid('url', `must start with wss:// or ws://, and have no query: ${String(url)}`)
  }
}

async function askUrl (provider: () => string | Promise<string>): Promise<string> {
  try {
    const url: unknown = await provider()
    checkUrl(url)
    return url
  } catch (cause) {
    throw new MicsError('MICS_URL_UNAVAILABLE', `the function that gives the url failed: ${textOf(cause)}`, { cause, isPassing: true })
  }
}

async function askToken (token: string | (() => string | Promise<string>)): Promise<string> {
  if (typeof token === 'string') return token
  try {
    const given: unknown = await token()
    if (!isFilled(given)) throw invalid('its answer', 'must be a string that is not empty')
    return given
  } catch (cause) {
    throw new MicsError('MICS_TOKEN_UNAVAILABLE', `the token provider failed: ${textOf(cause)}`, { cause, isPassing: true })
  }
}
