import { idsLength, MAX_TRACED_IDS_LENGTH, type Message } from '../protocol/message.js'
import { messageAttributes } from './attributes.js'
import { MessageSpan } from './message-span.js'
import type { Span, SpanAttributes, SpanKind, SpanParent } from './span.js'

/** Messages of one connection that are traced, so that no trace grows as long as a connection may live. */
export const MAX_TRACED_MESSAGES = 1000

/** The trace of one connection: its handshake, and beneath it whatever it sends. */
export class ConnectionTrace implements SpanParent {
  private messages = 0

  /** @param connect of the handshake, which is under way */
  constructor (private readonly connect: Span) {}

  child (name: string, kind: SpanKind, attributes: SpanAttributes): Span | undefined {
    return this.connect.child(name, kind, attributes)
  }

  /** The span of a message from this connection. Undefined: it is one too many, or its ids are too long. */
  message (message: Message): MessageSpan | undefined {
    if (this.messages >= MAX_TRACED_MESSAGES || idsLength(message) > MAX_TRACED_IDS_LENGTH) return undefined
    this.messages++
    const span = this.connect.child('mics.message', 'server', messageAttributes(message))
    return span && new MessageSpan(span)
  }

  /** The client is let in. */
  admitted (userId: string, deviceId: string): void {
    this.connect.set({ 'mics.outcome': 'admitted', 'mics.user_id': userId, 'mics.device_id': deviceId })
  }

  /** @param code WebSocket close code */
  refused (code: number): void {
    this.connect.set({ 'mics.outcome': 'refused', 'mics.close_code': code })
  }

  /** The client was gone before it could be let in. */
  gone (): void {
    this.connect.set({ 'mics.outcome': 'gone' })
  }

  failed (): void {
    this.connect.fail('internal error')
  }

  /** The handshake is over. The trace goes on. */
  connected (): void {
    this.connect.end()
  }
}
