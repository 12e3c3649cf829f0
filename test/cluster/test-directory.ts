import { EventEmitter } from 'node:events'
import type { Member, NodeDirectory, NodeDirectoryEvents } from '../../lib/node-directory/node-directory.js'

export function aMember (nodeId: string, endpoint: string, incarnation = 1): Member {
  return { key: `${nodeId}#${incarnation}`, nodeId, incarnation, endpoint, isDraining: false }
}

/** A directory whose members are whom the test says. */
export class TestDirectory extends EventEmitter<NodeDirectoryEvents> implements NodeDirectory {
  isStale = false
  onRefresh = (): void => {}
  private readonly byKey = new Map<string, Member>()

  constructor (public self: Member) {
    super()
  }

  add (member: Member): Member {
    this.byKey.set(member.key, member)
    this.emit('joined', member)
    return member
  }

  remove (member: Member): void {
    this.byKey.delete(member.key)
    this.emit('left', member)
  }

  /** This node has joined again. */
  becomes (self: Member): void {
    this.self = self
    this.emit('reset')
  }

  members (): readonly Member[] {
    return [...this.byKey.values()]
  }

  get (key: string): Member | undefined {
    return this.byKey.get(key)
  }

  async join (): Promise<void> {}
  async refresh (): Promise<void> {
    this.onRefresh()
  }

  async drain (): Promise<void> {}
  async leave (): Promise<void> {}
  async buried (): Promise<void> {}
  close (): void {}
}
