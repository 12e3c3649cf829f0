import { isIP } from 'node:net'
import { LoadError } from './load-error.js'
import { STAMP_BYTES } from './stamp.js'

export const loadModes = ['connect', 'heartbeat', 'pair', 'group', 'offline', 'churn', 'mixed'] as const

export type LoadMode = typeof loadModes[number]

/** Threads have a byte of each message's stamp. */
export const MAX_THREADS = 64
/** A day. */
export const MAX_SECONDS = 86_400
export const MAX_CONNECTIONS = 1_000_000
export const MAX_BODY_BYTES = 16 * 1024 * 1024

/** What a load run does. What is left out has the default that is said here. */
export interface LoadOptions {
  mode: LoadMode
  /** Gateways, as ws: or wss: URLs without /ws. Connections are spread over them. */
  urls: string[]
  /** Connections are spread over them; a pair or a group is of one tenant. */
  tenants: string[]
  /** Connections at once, in all. Default 100. Mode group has the members of its groups instead. */
  connections?: number
  /** Connections to open a second, in all. Default 200. */
  connectRate?: number
  /** Messages a second, in all: sent when due, whatever the answers do. Default 100, where there is no `window`. */
  rate?: number
  /** Messages that each sender keeps unanswered: the next goes out when one is answered. Instead of `rate`. */
  window?: number
  /** Bytes of a message's body, 16 to 16 MiB. Default 128. */
  bodyBytes?: number
  /** Seconds of load that are measured. Default 10. */
  durationSeconds?: number
  /** Seconds of load before, which are checked and not measured. Default 0. */
  warmupSeconds?: number
  /** Seconds to wait, at most, for what is still on its way when the load has ended. Default 10. */
  drainSeconds?: number
  /** Seconds between two heartbeats of a connection. Default 10. */
  heartbeatSeconds?: number
  /** Seconds until an attempt to connect is given up. Default 10. */
  connectTimeoutSeconds?: number
  /** Worker threads. Default 1, which is the caller's own thread. */
  threads?: number
  /** A user's id: {n} is its number, {tenant} and {group} what they say. Default load-{n}. */
  userTemplate?: string
  /** A user's token: {user} is its id, and as above. Default valid:{user}. */
  tokenTemplate?: string
  /** Users and their tokens, instead of the templates. */
  users?: LoadUser[]
  /** Default load. */
  deviceId?: string
  /** Groups of each tenant: for the modes group and mixed. */
  groups?: string[]
  /** Members of each group that connect. Default 10. */
  groupSize?: number
  /** Members of each group that send. Default all. */
  groupSenders?: number
  /** Mode churn: seconds that a connection stays. Default 1. */
  holdSeconds?: number
  /** Mode offline: messages to each absent user, in each round. Default 10. */
  offlineMessages?: number
  /** Local addresses to connect from, in turn. Default: the system chooses. */
  sourceAddresses?: string[]
  /** Send at the very time instead of within a millisecond or two; each thread then takes a whole core. */
  spin?: boolean
}

export interface LoadUser {
  userId: string
  token: string
}

/** Options with nothing left out but what excludes another. */
export type CompleteLoadOptions = Required<Omit<LoadOptions, 'window' | 'users'>> & Pick<LoadOptions, 'window' | 'users'>

/**
 * Options with their defaults.
 * @throws {LoadError} that says what is wrong with them
 */
export function completeOptions (given: LoadOptions): CompleteLoadOptions {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined)
  const defined = Object.fromEntries(entries) as unknown as LoadOptions
  const groupSize = defined.groupSize ?? 10
  const options: CompleteLoadOptions = {
    connections: 100,
    connectRate: 200,
    rate: 100,
    bodyBytes: 128,
    durationSeconds: 10,
    warmupSeconds: 0,
    drainSeconds: 10,
    heartbeatSeconds: 10,
    connectTimeoutSeconds: 10,
    threads: 1,
    userTemplate: 'load-{n}',
    tokenTemplate: 'valid:{user}',
    deviceId: 'load',
    groups: [],
    groupSize,
    groupSenders: groupSize,
    holdSeconds: 1,
    offlineMessages: 10,
    sourceAddresses: [],
    spin: false,
    ...defined,
  }
  const problem = problemOf(options, given)
  if (problem !== undefined) throw new LoadError('MICS_LOAD_OPTIONS', problem)
  return options
}

function problemOf (options: CompleteLoadOptions, given: LoadOptions): string | undefined {
  const { mode, urls, tenants, connections, groups, groupSize, groupSenders, users, userTemplate } = options
  const { bodyBytes, threads, sourceAddresses } = options
  if (!loadModes.includes(mode)) return `there is no mode ${JSON.stringify(mode)}; there are ${loadModes.join(', ')}`
  if (urls.length === 0) return 'there is no URL of a gateway'
  if (tenants.length === 0) return 'there is no tenant'
  if (given.rate !== undefined && given.window !== undefined) return 'rate and window exclude each other: give one of them'
  if (bodyBytes < STAMP_BYTES || bodyBytes > MAX_BODY_BYTES) {
    return `bodies have ${STAMP_BYTES} to ${MAX_BODY_BYTES} bytes: the first ${STAMP_BYTES} say who sent them and when`
  }
  if (threads < 1 || threads > MAX_THREADS) return `threads are 1 to ${MAX_THREADS}`
  if (connections < 1 || connections > MAX_CONNECTIONS) return `connections are 1 to ${MAX_CONNECTIONS}`
  if ((mode === 'pair' || mode === 'offline') && connections < 2) return `mode ${mode} takes 2 connections and more: a sender and a recipient`
  if (mode === 'mixed' && connections < 10) return 'mode mixed takes 10 connections and more'
  if (mode === 'group' && groups.length === 0) return 'mode group takes the ids of groups: --group'
  if (groups.length > 0 && (groupSize < 2 || groupSize > 65_535)) return 'a group has 2 to 65535 members that connect'
  if (groups.length > 0 && (groupSenders < 1 || groupSenders > groupSize)) return `the senders of a group are 1 to ${groupSize}, its members`
  const noAddress = sourceAddresses.find(address => isIP(address) === 0)
  if (noAddress !== undefined) return `source addresses are IP addresses of this machine; ${JSON.stringify(noAddress)} is none`
  if (users !== undefined) return usersProblem(options, users)
  if (!userTemplate.includes('{n}')) return 'the user template takes {n}: each connection is a user of its own'
  const ofGroups = mode === 'group' || (mode === 'mixed' && groups.length > 0)
  if (userTemplate.includes('{group}') && !ofGroups) return 'the user template has {group}, which is for mode group'
  return undefined
}

function usersProblem (
  { mode, tenants, connections, groups, groupSize }: CompleteLoadOptions, users: LoadUser[]
): string | undefined {
  if (tenants.length > 1) return 'users with tokens are of one tenant: give one'
  const members = groups.length * groupSize
  const needed = mode === 'group' ? members : connections + (mode === 'mixed' ? members : 0)
  return users.length < needed ? `${needed} users are needed, and there are tokens of ${users.length}` : undefined
}
