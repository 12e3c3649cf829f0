import type { LoadConnection } from './load-connection.js'
import { ramp, sendFrom, type Mode } from './mode.js'
import { LoadReceiver } from './receiver.js'
import { LoadSender } from './sender.js'
import { Audience, type ConnectionHandlers, type Traffic } from './traffic.js'

export interface PairsShare {
  /** `n`: the sender's number; the recipient's is the next one. `place`: of the pair, which decides its URLs. */
  pairs: { n: number, place: number, tenantId: string }[]
  connectRate: number
  /** Messages a second of all of them. */
  rate: number
}

/** Single chat: of each pair one sends, and the other receives. Their URLs are the same, or differ, in every way. */
export class PairMode implements Mode {
  readonly #senders: LoadSender[] = []

  constructor (private readonly traffic: Traffic, private readonly share: PairsShare) {}

  async connect (signal: AbortSignal): Promise<void> {
    const { pairs, connectRate } = this.share
    await ramp(connectRate / 2, pairs.length, signal, async (i, dueMs) => await this.#connectPair(pairs[i], dueMs))
  }

  async load (signal: AbortSignal): Promise<void> {
    await sendFrom(this.traffic, this.#senders, this.share.rate, signal)
  }

  async #connectPair ({ n, place, tenantId }: PairsShare['pairs'][number], dueMs: number): Promise<void> {
    const { traffic } = this
    const audience = new Audience()
    const receiver = new LoadReceiver(traffic, audience, 1)
    const pair: { sender?: LoadSender } = {}
    const connect = async (which: 0 | 1, handlers: ConnectionHandlers): Promise<LoadConnection | undefined> => {
      const where = { url: which === 0 ? place : place + Math.floor(place / traffic.urlCount), source: n + which }
      return await traffic.connect(traffic.users.user(n + which, tenantId), tenantId, where, dueMs, handlers)
    }
    const [from, to] = await Promise.all([
      connect(0, { onAck: (_, ack) => pair.sender?.onAck(ack) }),
      connect(1, {
        onDelivery: (connection, bytes, at, length) => receiver.onDelivery(connection, bytes, at, length),
        onEnd: (_, isOurs) => { if (!isOurs) pair.sender?.place.stream.recipientLeft() },
      }),
    ])
    if (from === undefined || to === undefined || !to.isConnected) return
    const stream = traffic.openStream(audience, { recipients: 1 })
    pair.sender = new LoadSender(traffic, from, stream, { toUserId: to.userId })
    this.#senders.push(pair.sender)
  }
}
