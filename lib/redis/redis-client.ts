import { isIP } from 'node:net'
import { Cluster, Redis, type Callback, type CommonRedisOptions } from 'ioredis'
import type { RedisUrl } from './redis-url.js'

/** A single Redis, one behind Sentinel, or a Redis Cluster: commands are the same. */
export type RedisClient = Redis | Cluster

/** Milliseconds between two attempts to connect. */
const MAX_RECONNECT_DELAY_MS = 250

/** Milliseconds for a Redis that hangs to close its side, before the connection is cut. */
const DISCONNECT_TIMEOUT_MS = 100

/** Milliseconds; TLS to a busy server takes longer than a command. */
const MIN_CONNECT_TIMEOUT_MS = 1000

const KEEP_ALIVE_MS = 5000

/** Milliseconds between two looks at who serves which slot. A node whose connection broke comes back by it, too. */
const SLOTS_REFRESH_MS = 1000

/** How often a command is tried, 100 ms apart, where a node of a Redis Cluster has gone. */
const MAX_REDIRECTIONS = 4

/**
 * A client that keeps connecting and never waits: a command without a connection fails at once, one whose connection
 * breaks fails and is not sent again, because it may have taken effect. Not connected yet.
 */
export function createRedisClient (url: RedisUrl, timeoutMs: number, name: string): RedisClient {
  const { kind, tls, addresses, user, password, database } = url
  const [first] = addresses
  const common: CommonRedisOptions & { disconnectTimeout: number } = {
    username: user || undefined,
    password: password || undefined,
    connectionName: name,
    disableClientInfo: true,
    connectTimeout: Math.max(timeoutMs, MIN_CONNECT_TIMEOUT_MS),
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    // Only for what ioredis itself asks while connecting: the link's own, shorter time is kept for everything else.
    commandTimeout: timeoutMs * 2,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // The connection leads to a master that has become a replica: the new one is found by connecting anew.
    reconnectOnError: error => error.message.includes('READONLY'),
  }
  const oneMaster = {
    ...common,
    db: database,
    lazyConnect: true,
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    retryStrategy: reconnectDelay,
  }
  switch (kind) {
    case 'single':
      return new Redis({
        ...oneMaster,
        ...first,
        // A server of many names wants to hear which; an address is none.
        ...(tls ? { tls: isIP(first.host) === 0 ? { servername: first.host } : {} } : {}),
      })
    case 'sentinel':
      return new Redis({
        ...oneMaster,
        sentinels: addresses,
        name: url.masterName,
        sentinelUsername: url.sentinelUser || undefined,
        sentinelPassword: url.sentinelPassword || undefined,
        sentinelCommandTimeout: timeoutMs,
        sentinelRetryStrategy: reconnectDelay,
        ...(tls ? { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
      })
    case 'cluster':
      return new EndingCluster(addresses, {
        lazyConnect: true,
        enableAutoPipelining: true,
        enableOfflineQueue: false,
        clusterRetryStrategy: reconnectDelay,
        slotsRefreshInterval: SLOTS_REFRESH_MS,
        slotsRefreshTimeout: timeoutMs,
        maxRedirections: MAX_REDIRECTIONS,
        // Names stay names, which certificates are for; the socket resolves them.
        dnsLookup: (host, callback) => callback(null, host),
        redisOptions: { ...common, ...(tls ? { tls: {} } : {}) },
      })
  }
}

/**
 * ioredis asks again and again who serves which slot, and goes on with it where it was closed while it asked: the
 * process would never end.
 */
class EndingCluster extends Cluster {
  private isLeft = false

  override connect (): Promise<void> {
    this.isLeft = false
    return super.connect()
  }

  override quit (callback?: Callback<'OK'>): Promise<'OK'> {
    this.isLeft = true
    return super.quit(callback)
  }

  override disconnect (reconnect = false): void {
    this.isLeft ||= !reconnect
    super.disconnect(reconnect)
  }

  override refreshSlotsCache (callback?: Callback<void>): void {
    if (!this.isLeft) super.refreshSlotsCache(callback)
  }
}

function reconnectDelay (attempt: number): number {
  return Math.min(attempt * 50, MAX_RECONNECT_DELAY_MS)
}
