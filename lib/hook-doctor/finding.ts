/** The groups of checks, in the order in which they are made. */
export const checkGroups = [
  'reach', 'auth', 'check-message', 'check-messages', 'get-group-members', 'get-offline-messages', 'signatures',
  'bad-calls', 'load',
] as const

export type CheckGroup = typeof checkGroups[number]

/**
 * `fail`: the gateway, or the tenant's users, will have trouble. `warn`: works, yet is hardly meant, or costs later.
 * `skip`: not looked at, and `seen` says why.
 */
export type Verdict = 'pass' | 'warn' | 'fail' | 'skip'

/** What one check came to. */
export interface Finding {
  check: CheckGroup
  /** What was looked at. */
  name: string
  result: Verdict
  /** What was seen. */
  seen: string
  /** What to do; empty where nothing is to be done. */
  advice: string
}

/** What is wrong with something, and what to do about it. */
export interface Problem {
  seen: string
  advice: string
}
