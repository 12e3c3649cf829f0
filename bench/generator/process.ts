/** The generator's process: does what it is asked for over its IPC channel, and ends with it. */
import { setTimeout as delay } from 'node:timers/promises'
import { coreSeconds, cpuSeconds } from '../process-usage.js'
import { quantile } from '../statistics.js'
import type { Client, Counts } from './client.js'
import { Crowd } from './crowd.js'
import type { Dialect, MessageTo } from './dialect.js'
import { micsDialect } from './mics-dialect.js'
import type { Chat, Orders, Place } from './orders.js'
import { socketIoDialect } from './socket-io-dialect.js'
import { steadyRate } from './steady-rate.js'
import { Talk } from './talk.js'

const crowds = new Map<string, Crowd>()
/** How many users of a name there are, for the next to be others. */
const users = new Map<string, number>()
const talks = new Map<string, Talk>()

const orders: Orders = {
  open: async ({ crowd: name, place, users: prefix, count }) => {
    const crowd = crowds.get(name) ?? new Crowd()
    crowds.set(name, crowd)
    const first = users.get(name) ?? 0
    users.set(name, first + count)
    const startedAt = performance.now()
    const names = Array.from({ length: count }, (_, i) => `${prefix}${first + i}`)
    await crowd.open(names, dialectOf(place), place.port)
    return (performance.now() - startedAt) / 1000
  },

  close: async ({ crowd }) => {
    named(crowds, crowd).close()
    crowds.delete(crowd)
    users.delete(crowd)
  },

  talk: async ({ talk, chat, window }) => {
    talks.set(talk, new Talk(sendersOf(chat), window, index => messageOf(chat, index)))
  },

  hush: async ({ talk }) => {
    const unanswered = await named(talks, talk).stop()
    talks.delete(talk)
    return unanswered
  },

  measure: async ({ crowds: names, pids, seconds }) => {
    const take = () => ({
      at: performance.now(),
      counts: sum(names.map(name => named(crowds, name).counts)),
      cpu: pids.map(cpuSeconds),
      cores: coreSeconds(),
    })
    const before = take()
    await delay(seconds * 1000)
    const after = take()
    return {
      seconds: (after.at - before.at) / 1000,
      counts: {
        acks: after.counts.acks - before.counts.acks,
        failed: after.counts.failed - before.counts.failed,
        deliveries: after.counts.deliveries - before.counts.deliveries,
        lost: after.counts.lost - before.counts.lost,
      },
      cpuSeconds: after.cpu.map((value, i) => value - before.cpu[i]),
      coreSeconds: after.cores.map((value, i) => value - before.cores[i]),
    }
  },

  steadyRate: async ({ chat, perSecond, seconds }) => {
    const { latencies, unanswered } = await steadyRate(sendersOf(chat), {
      perSecond, seconds, messageOf: index => messageOf(chat, index),
    })
    return { messages: latencies.length, unanswered, p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }
  },

  counts: async ({ crowd }) => named(crowds, crowd).counts,
}

function dialectOf ({ protocol, tenantId = '', deviceId = 'd' }: Place): Dialect {
  return protocol === 'mics' ? micsDialect(tenantId, deviceId) : socketIoDialect
}

function sendersOf ({ from, senders }: Chat): Client[] {
  return named(crowds, from).clients.slice(0, senders)
}

function messageOf ({ toUsers = '', toGroup, bodyBytes }: Chat, index: number): MessageTo {
  return toGroup === undefined
    ? { to: `${toUsers}${index}`, isGroup: false, bodyBytes }
    : { to: toGroup, isGroup: true, bodyBytes }
}

function sum (all: readonly Counts[]): Counts {
  const total = (of: (counts: Counts) => number): number => all.reduce((value, counts) => value + of(counts), 0)
  return {
    acks: total(({ acks }) => acks),
    failed: total(({ failed }) => failed),
    deliveries: total(({ deliveries }) => deliveries),
    lost: total(({ lost }) => lost),
  }
}

function named<T> (all: Map<string, T>, name: string): T {
  const found = all.get(name)
  if (found === undefined) throw new Error(`the generator has no ${name}`)
  return found
}

interface Request {
  id: number
  order: keyof Orders
  details: never
}

process.on('message', ({ id, order, details }: Request) => {
  (orders[order] as (details: never) => Promise<unknown>)(details).then(
    answer => process.send?.({ id, answer }),
    error => process.send?.({ id, problem: String((error as Error).message) })
  )
})
// Whoever asks is gone.
process.on('disconnect', () => process.exit())
process.send?.('ready')
