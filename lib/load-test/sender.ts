import type { LoadConnection } from './load-connection.js'
import { MessageFrame } from './message-frame.js'
import type { LoadAck } from './server-frames.js'
import { BUFFERED, FAILED, NOTIFIED, SENT } from './stream.js'
import { count } from './tally.js'
import type { StreamPlace, Traffic } from './traffic.js'

/** What may be unanswered of one sender; what is due beyond is counted, and not sent. */
const MAX_UNANSWERED = 10_000

/** Sends one stream over one connection, and hears its acks. */
export class LoadSender {
  /** Messages that may still be sent. */
  quota = Infinity
  /** An ack has come. */
  onAnswered = (): void => {}
  readonly #frame: MessageFrame

  constructor (
    private readonly traffic: Traffic,
    private readonly connection: LoadConnection,
    readonly place: StreamPlace,
    private readonly target: { toUserId: string } | { groupId: string }
  ) {
    this.#frame = new MessageFrame({
      ...target, run: traffic.runStamp, stream: place.stream.index, bodyBytes: traffic.options.bodyBytes,
    })
  }

  get isAlive (): boolean {
    return this.connection.isConnected && !this.connection.isEnding
  }

  /** Sends a message that was due then. False: too much is on its way already, or the connection is over. */
  send (dueMs: number): boolean {
    const { stream } = this.place
    if (!this.isAlive || this.connection.isStuck || stream.unanswered >= MAX_UNANSWERED) return false
    this.connection.send(this.#frame.of(stream.open(dueMs), dueMs))
    this.traffic.tally.messages.sent++
    this.quota--
    return true
  }

  onAck ({ sequence, sent, reason, bufferedUsers, notifiedUsers, skippedUsers }: LoadAck): void {
    const { messages } = this.traffic.tally
    // A group has other members than those who are connected here, and they may be absent.
    const ofOne = bufferedUsers > 0 ? BUFFERED : notifiedUsers + skippedUsers > 0 ? NOTIFIED : SENT
    const answer = !sent ? FAILED : 'toUserId' in this.target ? ofOne : SENT
    const time = sequence === undefined ? undefined : this.place.stream.answer(sequence, answer)
    if (time === undefined) {
      messages.ackedAgain++
      return
    }
    if (sent) {
      messages.acked++
      messages.bufferedUsers += bufferedUsers
      messages.notifiedUsers += notifiedUsers
      messages.skippedUsers += skippedUsers
      this.traffic.record('ack', (performance.now() - time) * 1000)
    } else {
      count(messages.failed, reason === '' ? '(no reason)' : reason)
    }
    this.onAnswered()
  }
}
