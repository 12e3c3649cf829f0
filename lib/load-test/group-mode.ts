import type { LoadConnection } from './load-connection.js'
import { ramp, sendFrom, type Mode } from './mode.js'
import { LoadReceiver } from './receiver.js'
import { LoadSender } from './sender.js'
import { Audience, type Traffic } from './traffic.js'

export interface GroupsShare {
  /** `n`: the first member's number. */
  groups: { n: number, groupId: string, tenantId: string }[]
  connectRate: number
  rate: number
}

interface Member {
  connection?: LoadConnection
  sender?: LoadSender
  receiver?: LoadReceiver
}

/** Group chat: members of a group send to it in turn, and all of the others receive. */
export class GroupMode implements Mode {
  #groups: Member[][] = []

  constructor (private readonly traffic: Traffic, private readonly share: GroupsShare) {}

  async connect (signal: AbortSignal): Promise<void> {
    const { traffic, share: { groups, connectRate } } = this
    const { groupSize, groupSenders } = traffic.options
    this.#groups = groups.map(() => Array.from({ length: groupSize }, () => ({})))
    await ramp(connectRate, groups.length * groupSize, signal, async (i, dueMs) => {
      const which = Math.floor(i / groupSize)
      await this.#connectMember(which, i % groupSize, dueMs)
    })
    for (const [which, members] of this.#groups.entries()) {
      // Streams are known when it is known who is there.
      const audience = new Audience()
      const connected = members.filter(({ connection }) => connection?.isConnected)
      const senders = new Set(connected.slice(0, groupSenders))
      for (const member of connected) {
        if (senders.has(member)) {
          const place = traffic.openStream(audience, { recipients: connected.length - 1 })
          const { groupId } = groups[which]
          member.sender = new LoadSender(traffic, member.connection as LoadConnection, place, { groupId })
        }
        member.receiver = new LoadReceiver(traffic, audience, senders.size, member.sender?.place.stream.index)
      }
    }
  }

  async load (signal: AbortSignal): Promise<void> {
    const senders = this.#groups.flatMap(members => members.flatMap(({ sender }) => sender ?? []))
    await sendFrom(this.traffic, senders, this.share.rate, signal)
  }

  async #connectMember (which: number, index: number, dueMs: number): Promise<void> {
    const { traffic, share: { groups } } = this
    const { n, groupId, tenantId } = groups[which]
    const members = this.#groups[which]
    const member = members[index]
    const user = traffic.users.member(n + index, tenantId, groupId, index)
    member.connection = await traffic.connect(user, tenantId, { url: index, source: n + index }, dueMs, {
      onAck: (_, ack) => member.sender?.onAck(ack),
      onDelivery: (connection, bytes, at, length) => {
        // Before its members are there nobody sends: it is of an earlier run.
        if (member.receiver === undefined) traffic.tally.deliveries.foreign++
        else member.receiver.onDelivery(connection, bytes, at, length)
      },
      onEnd: (_, isOurs) => {
        if (isOurs || member.receiver === undefined) return
        for (const other of members) if (other !== member) other.sender?.place.stream.recipientLeft()
      },
    })
  }
}
