import { ChurnMode } from './churn-mode.js'
import { GroupMode } from './group-mode.js'
import { IdleMode } from './idle-mode.js'
import type { CompleteLoadOptions } from './load-options.js'
import type { Mode } from './mode.js'
import { OfflineMode } from './offline-mode.js'
import { PairMode } from './pair-mode.js'
import type { Traffic } from './traffic.js'

/** Of the connections in mode mixed: pairs that chat, pairs of which one is absent, idle ones; the rest comes and goes. */
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
 * What one thread of a run does. A pair and a group are of one thread, so that one clock and one set of books serve; each
 * thread has the rates of its share.
 */
export function modesOf (traffic: Traffic, thread: number): Mode[] {
  const { options } = traffic
  const { tenants, threads, groupSize, connectRate, rate } = options
  const division = divisionOf(options)
  const groups = tenants.flatMap(tenantId => division.groups.map(groupId => ({ groupId, tenantId })))
  const senders = division.pairs + division.offlinePairs + groups.length
  let n = 0
  /** Numbers of the users of `count` parts with `size` users each; of them those of this thread. */
  function own (count: number, size: number): { n: number, place: number, tenantId: string }[] {
    const first = n
    n += count * size
    const all = Array.from({ length: Math.max(0, Math.ceil((count - thread) / threads)) }, (_, i) => thread + i * threads)
    return all.map(place => ({ n: first + place * size, place, tenantId: tenants[place % tenants.length] }))
  }
  const shareOf = (ownParts: number, count: number, whole: number): number => count === 0 ? 0 : whole * ownParts / count

  const pairs = own(division.pairs, 2)
  const offlinePairs = own(division.offlinePairs, 2)
  const idle = own(division.idle, 1)
  const churn = own(division.churn, 1)
  const ownGroups = own(groups.length, groupSize).map(({ n, place }) => ({ n, ...groups[place] }))
  const modes: [number, Mode][] = [
    [pairs.length, new PairMode(traffic, {
      pairs, connectRate: shareOf(pairs.length, division.pairs, connectRate), rate: shareOf(pairs.length, senders, rate),
    })],
    [offlinePairs.length, new OfflineMode(traffic, {
      pairs: offlinePairs,
      connectRate: shareOf(offlinePairs.length, division.offlinePairs, connectRate),
      rate: shareOf(offlinePairs.length, senders, rate),
    })],
    [idle.length, new IdleMode(traffic, { users: idle, connectRate: shareOf(idle.length, division.idle, connectRate) })],
    [churn.length, new ChurnMode(traffic, { users: churn, connectRate: shareOf(churn.length, division.churn, connectRate) })],
    [ownGroups.length, new GroupMode(traffic, {
      groups: ownGroups,
      connectRate: shareOf(ownGroups.length, groups.length, connectRate),
      rate: shareOf(ownGroups.length, senders, rate),
    })],
  ]
  return modes.filter(([parts]) => parts > 0).map(([, mode]) => mode)
}
