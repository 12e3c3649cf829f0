import type { Generator } from '../generator/generator.js'
import type { Contestant } from '../stage.js'
import type { Load } from './closed-loop.js'

/** Enough that a server always has something to do, and few enough that each has its turn in a round trip's time. */
export const PAIRS = 20

let crowds = 0

/** Users who write to each other, one to one. */
export interface Pairs {
  /** What they say, for `closedLoop` or `steadyRate`. */
  load: (window: number, bodyBytes: number) => Load
  from: string
  to: string
}

/** @param to where the recipients are, if elsewhere: another node of the cluster */
export async function connectPairs (
  generator: Generator, { place }: Contestant, { count = PAIRS, to: { place: toPlace } = { place } } = {}
): Promise<Pairs> {
  const name = `pairs${++crowds}`
  const [from, to] = [`${name}-from-`, `${name}-to-`]
  await generator.ask('open', { crowd: to, place: toPlace, users: to, count })
  await generator.ask('open', { crowd: from, place, users: from, count })
  return {
    from,
    to,
    load: (window, bodyBytes) => ({
      chat: { from, toUsers: to, bodyBytes }, window, crowds: [to], per: 'messages',
    }),
  }
}
