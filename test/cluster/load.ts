import type { Test } from 'tap'
import { until } from '../helpers/until.js'
import { RoamingClient } from './roaming-client.js'
import type { TestCluster } from './test-cluster.js'

/** Milliseconds after an ack in which a message may still be in the buffer of a socket. */
const SOCKET_MS = 500

export interface LoadOptions {
  users: number
  /** Members of the one group that everybody is in sends to; the first so many users. 0: no group. */
  groupMembers?: number
  /** Names apart the users of loads in one cluster. */
  prefix?: string
  /** Where they connect: the running nodes, if nothing else. */
  urls?: () => readonly string[]
  /** As in RoamingClientOptions. */
  returnMs?: number
}

/** What a recipient should have got and what it got. */
export interface Differences {
  /** Acked SENT and not received, as `sender>recipient:number`. */
  missing: string[]
  /** Received more than once. */
  repeated: string[]
  /** Received after a later one of the same conversation. */
  disordered: string[]
}

/**
 * People who chat all the time: each with the next one, and all in a group; a conversation's next message goes out
 * when the one before it is acked. They find their way around the cluster by themselves.
 */
export class Load {
  readonly clients: RoamingClient[]
  private readonly members: RoamingClient[]
  private readonly groupId: string
  private isSending = true
  private conversations: Array<Promise<void>> = []

  private constructor (t: Test, cluster: TestCluster, options: LoadOptions) {
    const { users, groupMembers = 0, prefix = 'user', urls = cluster.urls, returnMs } = options
    this.groupId = `${prefix}-group`
    this.clients = Array.from({ length: users }, (_, i) => new RoamingClient(`${prefix}${i}`, urls, i, { returnMs }))
    this.members = this.clients.slice(0, groupMembers)
    cluster.hooks.groups.set(this.groupId, this.members.map(({ user }) => user))
    t.teardown(() => this.clients.forEach(client => client.stop()))
  }

  /** Resolves when everybody is connected and talking. */
  static async start (t: Test, cluster: TestCluster, options: LoadOptions): Promise<Load> {
    const load = new Load(t, cluster, options)
    await Promise.all(load.clients.map(client => client.connected()))
    load.conversations = load.clients.map((client, i) =>
      load.talk(client, { user: load.clients[(i + 1) % load.clients.length].user }))
    for (const client of load.members.slice(0, 3)) load.conversations.push(load.talk(client, { group: load.groupId }))
    return load
  }

  /** Messages acked SENT so far. */
  get sent (): number {
    return this.clients.reduce((sum, { sent }) => sum + sent.length, 0)
  }

  /** Resolves when so many more messages were acked. */
  async progress (messages: number): Promise<void> {
    const goal = this.sent + messages
    await until(`${messages} more messages are acked`, () => this.sent >= goal)
  }

  /** Everybody stops talking; resolves when all that was said is acked, and all is there that should come. */
  async stop ({ lost = 0 }: { lost?: number } = {}): Promise<Differences> {
    this.isSending = false
    await Promise.all(this.conversations)
    await Promise.all(this.clients.map(client => client.connected()))
    try {
      await until('everything has arrived', () => this.differences().missing.length <= lost)
    } catch {
      // What is missing is for the caller to judge.
    }
    return this.differences()
  }

  /**
   * Whether nobody can know if a message has arrived: a node was killed, or its recipient lost the network, while it
   * was under way or had just been given to a socket. The buffers of the system go with the process or the connection.
   * @param label as in Differences
   * @param kills milliseconds of `performance.now()`
   */
  isUncertain (label: string, kills: number[] = []): boolean {
    const [msgId, recipient] = label.split('>')
    const times = this.clients.map(client => client.times.get(msgId)).find(found => found !== undefined)
    const drops = this.clients.find(({ user }) => user === recipient)?.drops ?? []
    return times !== undefined && [...kills, ...drops].some(at => times.said <= at && at - SOCKET_MS <= times.acked)
  }

  /** Whether a message was between being said and being acked at some time between these. */
  wasUnderWay (label: string, from: number, to: number): boolean {
    const [msgId] = label.split('>')
    const times = this.clients.map(client => client.times.get(msgId)).find(found => found !== undefined)
    return times !== undefined && times.said <= to && from <= times.acked
  }

  /**
   * Whether a message may come late because of a cut in the network between nodes: its recipient, or its sender,
   * connected during the cut, and before that it was under way or had just been given to a socket. A node that kept it
   * could not hand it over then, and what was said from then on had another way: see docs/cluster.md, Order.
   * @param cuts between which times, milliseconds of `performance.now()`, nodes did not reach each other
   */
  mayBeOvertaken (label: string, cuts: ReadonlyArray<{ from: number, to: number }>): boolean {
    const [msgId, recipient] = label.split('>')
    return this.clients
      .filter(({ user, times }) => user === recipient || times.has(msgId))
      .flatMap(({ absences }) => absences)
      .filter(({ to }) => cuts.some(cut => cut.from <= to && to <= cut.to))
      .some(({ from, to }) => this.wasUnderWay(label, from - SOCKET_MS, to))
  }

  differences (): Differences {
    const differences: Differences = { missing: [], repeated: [], disordered: [] }
    for (const recipient of this.clients) {
      const seen = new Map<string, number>()
      const last = new Map<string, number>()
      for (const { userId, groupId, msgId, msgBody } of recipient.received) {
        const label = `${msgId}>${recipient.user}`
        const times = (seen.get(`${userId} ${msgId}`) ?? 0) + 1
        seen.set(`${userId} ${msgId}`, times)
        if (times > 1) {
          differences.repeated.push(label)
          continue
        }
        const number = Number(Buffer.from(msgBody).toString())
        const conversation = `${userId} ${groupId}`
        if (number < (last.get(conversation) ?? -1)) differences.disordered.push(label)
        last.set(conversation, Math.max(number, last.get(conversation) ?? -1))
      }
      for (const sender of this.clients) {
        if (sender === recipient) continue
        for (const { msgId, to } of sender.sent) {
          const isFor = 'user' in to ? to.user === recipient.user : this.members.includes(recipient)
          if (isFor && !seen.has(`${sender.user} ${msgId}`)) differences.missing.push(`${msgId}>${recipient.user}`)
        }
      }
    }
    return differences
  }

  private async talk (client: RoamingClient, to: { user: string } | { group: string }): Promise<void> {
    const name = 'user' in to ? to.user : to.group
    for (let i = 0; this.isSending; i++) await client.send({ msgId: `${client.user}-${name}-${i}`, to, body: String(i) })
  }
}
