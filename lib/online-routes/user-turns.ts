/** A name for a user of a tenant. Tenant ids have no control characters, so nobody else has it. */
export function userName (tenantId: string, userId: string): string {
  return `${tenantId}\0${userId}`
}

export function parseUserName (name: string): { tenantId: string, userId: string } {
  const at = name.indexOf('\0')
  return { tenantId: name.slice(0, at), userId: name.slice(at + 1) }
}

/** What is done for one user is done one after the other, in the order asked. */
export class UserTurns {
  /** The last of each user that has any. */
  private readonly last = new Map<string, Promise<unknown>>()

  /** Users with something under way. */
  get size (): number {
    return this.last.size
  }

  /** Runs `step` when all earlier ones of the user have ended, however they did. Passes on its outcome. */
  run<T> (user: string, step: () => Promise<T>): Promise<T> {
    const before = this.last.get(user)
    const turn = before === undefined ? step() : before.then(step, step)
    this.last.set(user, turn)
    const ended = (): void => { if (this.last.get(user) === turn) this.last.delete(user) }
    turn.then(ended, ended)
    return turn
  }
}
