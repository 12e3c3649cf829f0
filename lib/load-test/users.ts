import type { CompleteLoadOptions, LoadUser } from './load-options.js'

/** Who connects: the user of a number. */
export class LoadUsers {
  readonly #options: CompleteLoadOptions
  readonly #isNumberedInGroup: boolean

  constructor (options: CompleteLoadOptions) {
    this.#options = options
    this.#isNumberedInGroup = options.userTemplate.includes('{group}')
  }

  /** `n` counts all users of the run from 0. */
  user (n: number, tenantId: string): LoadUser {
    return this.#options.users?.[n] ?? this.#named(n, tenantId, '')
  }

  /** A member of a group: where ids are made of the group's, they count from 0 in each. */
  member (n: number, tenantId: string, groupId: string, member: number): LoadUser {
    return this.#options.users?.[n] ?? this.#named(this.#isNumberedInGroup ? member : n, tenantId, groupId)
  }

  #named (n: number, tenantId: string, groupId: string): LoadUser {
    const { userTemplate, tokenTemplate } = this.#options
    const names: Record<string, string> = { n: String(n), tenant: tenantId, group: groupId }
    const userId = filled(userTemplate, names)
    return { userId, token: filled(tokenTemplate, { ...names, user: userId }) }
  }
}

function filled (template: string, names: Record<string, string>): string {
  return template.replaceAll(/\{(n|tenant|group|user)\}/g, (text, name: string) => names[name] ?? text)
}
