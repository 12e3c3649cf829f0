import { ChurnMode } from './churn-mode.js'
import { GroupMode } from './group-mode.js'
import { IdleMode } from './idle-mode.js'
import type { CompleteLoadOptions } from './load-options.js'
import type { Mode } from './mode.js'
import { OfflineMode } from './offline-mode.js'
import { PairMode } from './pair-mode.js'
import type { Traffic } from './traffic.js'

/** Of the connections in mode mixed. The rest comes and goes. */
const MIXED = { pair: 0.6, offline: 0.1, idle: 0.2 }

/** The connections of a whole run by what they do. */
interface Division {
  pairs: number
  offlinePairs: number
  idle: number
  churn: number
  /** Groups of each tenant. */
  groups: string[]
}

function divisionOf ({ mode, connections, groups }: CompleteLoadOptions): Division {
  const none = { pairs: 0, offlinePairs: 0, idle: 0, churn: 0, groups: [] }
  switch (mode) {
    case 'connect':
    case 'heartbeat':
      return { ...none, idle: connections }
    case 'churn':
      return { ...none, churn: connections }
    case 'pair':
      return { ...none, pairs: Math.floor(connections / 2) }
    case 'offline':
      return { ...none, offlinePairs: Math.floor(connections / 2) }
    case 'group':
      return { ...none, groups }
    case 'mixed': {
      const pairs = Math.round(connections * MIXED.pair / 2)
      const offlinePairs = Math.max(1, Math.round(connections * MIXED.offline / 2))
      const idle = Math.round(connections * MIXED.idle)
      return { pairs, offlinePairs, idle, churn: connections - 2 * (pairs + offlinePairs) - idle, groups }
    }
  }
}

/** The connections that a run has open at once, and its parts that a thread can have of its own. */
export function sizeOf (options: CompleteLoadOptions): { connections: number, parts: number } {
  const { pairs, offlinePairs, idle, churn, groups } = divisionOf(options)
  const ofGroups = groups.length * options.tenants.length
  return {
    connections: 2 * (pairs + offlinePairs) + idle + churn + ofGroups * options.groupSize,
    parts: Math.max(pairs, offlinePairs, idle, churn, ofGroups),
  }
}

/**
 * What one thread of a run does. A pair and a group are of one thread, so that one clock and one set of books serve.
 * Each thread has the rates of its share.
 */
export function modesOf (traffic: Traffic, thread: number): Mode[] {
  const { options } = traffic
  const { mode, tenants, threads, groupSize, connectRate, rate, holdSeconds } = options
  const division = divisionOf(options)
  const groups = tenants.flatMap(tenantId => division.groups.map(groupId => ({ groupId, tenantId })))
  const senders = division.pairs + division.offlinePairs + groups.length
  let n = 0
  /** Numbers of the users of `count` parts with `size` users each; of them those of this thread. */
  function own (count: number, size: number): { n: number, part: number, place: number, tenantId: string }[] {
    const first = n
    n += count * size
    const length = Math.max(0, Math.ceil((count - thread) / threads))
    return Array.from({ length }, (_, i) => {
      const part = thread + i * threads
      const tenant = part % tenants.length
      // Of the parts of its tenant, so that each tenant is on all URLs.
      const place = Math.floor(part / tenants.length) + tenant
      return { n: first + part * size, part, place, tenantId: tenants[tenant] }
    })
  }
  const pairs = own(division.pairs, 2)
  const offlinePairs = own(division.offlinePairs, 2)
  const idle = own(division.idle, 1)
  const churn = own(division.churn, 1)
  const ownGroups = own(groups.length, groupSize).map(({ n, part }) => ({ n, ...groups[part] }))
  const messageRate = (parts: number): number => rate * parts / senders
  const rateOf = (parts: unknown[], all: number): number => connectRate * parts.length / all
  // Beside others they do not come faster than they go.
  const mostVisits = mode === 'mixed' ? churn.length / 2 / Math.max(holdSeconds, 0.1) : Infinity
  const modes: [unknown[], Mode][] = [
    [pairs, new PairMode(traffic, {
      pairs, connectRate: rateOf(pairs, division.pairs), rate: messageRate(pairs.length),
    })],
    [offlinePairs, new OfflineMode(traffic, {
      pairs: offlinePairs,
      connectRate: rateOf(offlinePairs, division.offlinePairs),
      rate: messageRate(offlinePairs.length),
    })],
    [idle, new IdleMode(traffic, { users: idle, connectRate: rateOf(idle, division.idle) })],
    [churn, new ChurnMode(traffic, { users: churn, connectRate: Math.min(mostVisits, rateOf(churn, division.churn)) })],
    [ownGroups, new GroupMode(traffic, {
      groups: ownGroups, connectRate: rateOf(ownGroups, groups.length), rate: messageRate(ownGroups.length),
    })],
  ]
  return modes.filter(([parts]) => parts.length > 0).map(([, mode]) => mode)
}
