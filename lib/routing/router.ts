import type { GroupMembers } from '../hooks/group-members.js'
import { noteRecipient } from '../message-trace/note.js'
import type { NodeDirectory } from '../node-directory/node-directory.js'
import type { Message } from '../protocol/message.js'
import type { Session } from '../session/session.js'
import { Delivery } from './delivery.js'
import { Dispatch, isSent, noOutcome, type DeliveryOutcome, type DispatchDeps } from './dispatch.js'
import type { FanOut } from './fan-out.js'
import { toLocalDevices } from './local-devices.js'
import type { Sequence } from './sequence.js'

export interface RouterLimits {
  /** Group members served at a stretch; then other work may have its turn. */
  groupChunkSize: number
  /** Offline members of a group for whom one message is kept. */
  groupOfflineMaxUsers: number
}

/** Takes messages to all devices that should get them. Never waits for a socket: each device has its own queue. */
export class Router {
  constructor (private readonly deps: DispatchDeps & {
    directory: Pick<NodeDirectory, 'members' | 'refresh' | 'isStale'>
    fanOut: FanOut
    sequence: Sequence
    limits: RouterLimits
  }) {}

  /**
   * To every device of `to_user_id` and the sender's other devices. At once where all of them are here; the message
   * behind it to the same recipient must wait for the promise where there is one.
   */
  toUser (from: Session, message: Message): DeliveryOutcome | Promise<DeliveryOutcome> {
    const delivery = new Delivery(message, this.deps.sequence.next())
    if (this.isAlone) return this.toUserHere(from, delivery)
    return this.toUserAnywhere(from, delivery)
  }

  /** To every device of every member, each user once, and the sender's other devices. */
  async toGroup (from: Session, message: Message, members: GroupMembers): Promise<DeliveryOutcome> {
    const delivery = new Delivery(message, this.deps.sequence.next(), members.count)
    const { groupChunkSize, groupOfflineMaxUsers } = this.deps.limits
    const seen = new Set([from.userId])
    const nextChunk = (): string[] => {
      const chunk: string[] = []
      for (const userId of members.take(groupChunkSize)) {
        if (userId === '' || seen.has(userId)) continue
        seen.add(userId)
        chunk.push(userId)
      }
      return chunk
    }
    const isAlone = this.isAlone
    const dispatch = new Dispatch(this.deps, from, delivery, groupOfflineMaxUsers)
    const serveChunk = (): boolean | Promise<boolean> => {
      const chunk = nextChunk()
      if (!isAlone) return dispatch.serve(chunk).then(() => members.isAtEnd)
      for (const userId of chunk) this.reachHere(from, delivery, userId, dispatch.outcome, groupOfflineMaxUsers)
      return members.isAtEnd
    }
    if (!isAlone) await this.catchUp()
    // A small group is served at once; the rest of a large one takes turns with all other work.
    const first = serveChunk()
    if (!(first instanceof Promise ? await first : first)) await this.deps.fanOut.run(from.tenantId, serveChunk)
    const outcome = await dispatch.finish()
    await this.syncSender(from, delivery, outcome)
    delivery.forgetFrame()
    return outcome
  }

  /** No other node: everybody is here or offline. */
  private get isAlone (): boolean {
    return this.deps.directory.members().length <= 1
  }

  private toUserHere (from: Session, delivery: Delivery): DeliveryOutcome {
    const outcome = noOutcome()
    const { toUserId } = delivery.message
    this.reachHere(from, delivery, toUserId, outcome, 1)
    if (toUserId !== from.userId && isSent(outcome) && from.settings.syncSenderDevices) {
      toLocalDevices(this.deps.connections, delivery, from.userId, false)
    }
    delivery.forgetFrame()
    return outcome
  }

  private reachHere (
    from: Session, delivery: Delivery, userId: string, outcome: DeliveryOutcome, maxBuffered: number
  ): void {
    const { connections, offline } = this.deps
    if (toLocalDevices(connections, delivery, userId, false) > 0) {
      outcome.delivered++
    } else if (offline.announce(from, delivery, userId)) {
      outcome.notified++
    } else if (outcome.buffered < maxBuffered && offline.keepAlone(from, delivery, userId)) {
      outcome.buffered++
    } else {
      outcome.skipped++
      noteRecipient(delivery.message, 'skipped', 'not kept', userId)
      from.metrics.offlineSkipped++
    }
  }

  private async toUserAnywhere (from: Session, delivery: Delivery): Promise<DeliveryOutcome> {
    const { toUserId } = delivery.message
    await this.catchUp()
    const dispatch = new Dispatch(this.deps, from, delivery, 1)
    await dispatch.serve([toUserId])
    const outcome = await dispatch.finish()
    if (toUserId !== from.userId) await this.syncSender(from, delivery, outcome)
    delivery.forgetFrame()
    return outcome
  }

  /** A process that was stopped for longer than its lease learns first what has happened meanwhile. */
  private async catchUp (): Promise<void> {
    const { directory } = this.deps
    if (!directory.isStale) return
    try {
      await directory.refresh()
    } catch {
      // The store is gone: what was known has to do, and its own line in the log says so.
    }
  }

  /** A message that reached nobody is no message: it will be FAILED, and a retry must not show twice. */
  private async syncSender (from: Session, delivery: Delivery, outcome: DeliveryOutcome): Promise<void> {
    if (!isSent(outcome) || !from.settings.syncSenderDevices) return
    const { cache, connections, peers } = this.deps
    const members = await cache.find(from.tenantId, from.userId)
    toLocalDevices(connections, delivery, from.userId, members.length > 0)
    const shared = new Set([from.userId])
    // Their order is that of sending; nobody waits for the answer, which changes nothing.
    for (const member of members) peers.deliver(member, delivery, [from.userId], shared)
  }
}
