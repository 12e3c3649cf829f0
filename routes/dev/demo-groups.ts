/** Fixed people, so that a group has members before anybody signed in. */
const people = ['alice', 'bob', 'carol']

/** Names in the lobby at most; the one who signed in longest ago goes first. A demo left open must not grow. */
const maxLobby = 10_000

/**
 * Who is in which group of the demo tenant: `lobby` holds everyone who ever signed in, `team` is alice, bob and
 * carol, and more may be given. A given group named like one of these adds its members to it.
 */
export class DemoGroups {
  readonly #lobby: Set<string>
  readonly #fixed = new Map<string, Set<string>>([['team', new Set(people)]])

  constructor (more: Iterable<[string, string[]]> = []) {
    this.#lobby = new Set(people)
    for (const [group, members] of more) {
      if (group === 'lobby') {
        for (const user of members) this.#lobby.add(user)
      } else {
        this.#fixed.set(group, new Set([...this.#fixed.get(group) ?? [], ...members]))
      }
    }
  }

  /** Remembers that a user signed in. */
  join (userId: string): void {
    this.#lobby.delete(userId)
    this.#lobby.add(userId)
    const [longestAgo] = this.#lobby
    if (this.#lobby.size > maxLobby && longestAgo !== undefined) this.#lobby.delete(longestAgo)
  }

  /** Empty where there is no such group. */
  members (groupId: string): string[] {
    const members = groupId === 'lobby' ? this.#lobby : this.#fixed.get(groupId)
    return [...members ?? []]
  }
}
