import type { LoadConnection } from './load-connection.js'
import { ramp, sendFrom, type Mode } from './mode.js'
import type { PairsShare } from './pair-mode.js'
import { LoadReceiver } from './receiver.js'
import { LoadSender } from './sender.js'
import { Audience, type StreamPlace, type Traffic } from './traffic.js'

/** How often it is looked whether a round's messages are answered, or received. */
const LOOK_MS = 10

interface OfflinePair {
  toUserId: string
  place: StreamPlace
  receiver: LoadReceiver
  sender?: LoadSender
  recipient?: LoadConnection
}

/**
 * Messages to users who are not there: in each round all of them are sent and answered, then the recipients connect,
 * get what waited for them, and go. The last round is brought to its end, also where the time is over.
 */
export class OfflineMode implements Mode {
  readonly #pairs: OfflinePair[] = []

  constructor (private readonly traffic: Traffic, private readonly share: PairsShare) {}

  /** Connects the senders. */
  async connect (signal: AbortSignal): Promise<void> {
    const { traffic, share: { pairs, connectRate } } = this
    await ramp(connectRate, pairs.length, signal, async (i, dueMs) => {
      const { n, place, tenantId } = pairs[i]
      const audience = new Audience()
      const pair: OfflinePair = {
        toUserId: traffic.users.user(n + 1, tenantId).userId,
        place: traffic.openStream(audience, { recipients: 1, isHeldDelivered: true }),
        receiver: new LoadReceiver(traffic, audience, 1),
      }
      this.#pairs[i] = pair
      const where = { url: place, source: n }
      const from = await traffic.connect(traffic.users.user(n, tenantId), tenantId, where, dueMs, {
        onAck: (_, ack) => pair.sender?.onAck(ack),
        // With a window the round would wait for its answers.
        onEnd: () => pair.sender?.onAnswered(),
      })
      if (from !== undefined) pair.sender = new LoadSender(traffic, from, pair.place, { toUserId: pair.toUserId })
    })
  }

  async load (signal: AbortSignal): Promise<void> {
    const { rate, pairs } = this.share
    if (pairs.length === 0) return
    const senders = this.#pairs.flatMap(({ sender }) => sender ?? [])
    while (!signal.aborted && senders.some(({ isAlive }) => isAlive)) {
      for (const sender of senders) sender.quota = this.traffic.options.offlineMessages
      await sendFrom(this.traffic, senders, rate, signal)
      await this.#until(() => this.#pairs.every(({ place: { stream } }) => stream.unanswered === 0))
      // Whoever asked for an early end still learns what became of what was sent.
      const { signal: never } = new AbortController()
      await ramp(this.share.connectRate, pairs.length, never, async (i, dueMs) => await this.#recipientComes(i, dueMs))
      await this.#until(() => this.#pairs.every(({ place: { stream } }) => stream.isSettled))
      await this.#recipientsGo()
    }
  }

  async #recipientComes (i: number, dueMs: number): Promise<void> {
    const { traffic } = this
    const pair = this.#pairs[i]
    const { n, place, tenantId } = this.share.pairs[i]
    const where = { url: place + Math.floor(place / traffic.urlCount), source: n + 1 }
    pair.recipient = await traffic.connect(traffic.users.user(n + 1, tenantId), tenantId, where, dueMs, {
      onDelivery: (connection, bytes, at, length) => pair.receiver.onDelivery(connection, bytes, at, length),
      onEnd: (_, isOurs) => {
        pair.recipient = undefined
        if (!isOurs) pair.place.stream.recipientMissed()
      },
    })
    if (pair.recipient === undefined) pair.place.stream.recipientMissed()
  }

  async #recipientsGo (): Promise<void> {
    for (const { recipient } of this.#pairs) recipient?.close()
    await this.#until(() => this.#pairs.every(({ recipient }) => recipient === undefined))
  }

  /** Not for longer than what is late may take. */
  async #until (condition: () => boolean): Promise<void> {
    const deadline = performance.now() + this.traffic.options.drainSeconds * 1000
    while (!condition() && performance.now() < deadline) await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
}
