import type { Action, MockEvent, Position, Rule } from './scenario.js'

/** What happens, for rules to look at. */
export interface Facts {
  event: MockEvent
  tenantId: string
  userId: string
  deviceId: string
  token: string
  /** Which connection of the device. */
  connection: number
  /** Which message, ping or delivery of the connection. */
  nth: number
  msgId?: string
  toUserId?: string
  groupId?: string
  from?: string
}

export interface Decision {
  action: Action
  /** Position of the rule in the scenario, for the log; undefined: no rule fits. */
  rule?: number
}

const NOTHING: Action = {}

const equalFields = ['tenantId', 'userId', 'deviceId', 'token', 'toUserId', 'groupId', 'from'] as const

/** The rules of a scenario, with how often each has been used. */
export class Rules {
  readonly #rules: readonly Rule[]
  readonly #patterns: (RegExp | undefined)[]
  readonly #uses: number[]

  constructor (rules: readonly Rule[], private readonly random: () => number) {
    this.#rules = rules
    this.#patterns = rules.map(({ when }) => when.msgId === undefined ? undefined : new RegExp(when.msgId, 'u'))
    this.#uses = rules.map(() => 0)
  }

  /** The action of the first rule that fits, which counts as used. */
  decide (facts: Facts): Decision {
    const rule = this.#rules.findIndex((_, index) => this.#fits(index, facts))
    if (rule === -1) return { action: NOTHING }
    this.#uses[rule]++
    return { action: this.#rules[rule].do, rule }
  }

  #fits (index: number, facts: Facts): boolean {
    const { when, times = Infinity } = this.#rules[index]
    if (when.event !== facts.event || this.#uses[index] >= times) return false
    if (equalFields.some(field => when[field] !== undefined && when[field] !== facts[field])) return false
    if (this.#patterns[index]?.test(facts.msgId ?? '') === false) return false
    if (!isAt(when.connection, facts.connection) || !isAt(when.nth, facts.nth)) return false
    return when.chance === undefined || this.random() < when.chance
  }
}

function isAt (position: Position | undefined, number: number): boolean {
  if (position === undefined) return true
  if (typeof position === 'number') return position === number
  const { from = 1, to = Infinity, every = 1 } = position
  return number >= from && number <= to && (number - from) % every === (position.from === undefined ? every - 1 : 0)
}
