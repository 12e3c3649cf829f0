import type { Message } from '../protocol/message.js'
import { encodeDelivery } from '../protocol/server-frame.js'

/** One message on its way to all who receive it: the frame is encoded once and shared between their sockets. */
export class Delivery {
  private encoded?: Buffer
  private ownsBody = false

  /** @param seq position in this node's order of messages */
  constructor (readonly message: Message, readonly seq: number) {}

  /** The complete WebSocket frame. */
  get frame (): Buffer {
    this.encoded ??= encodeDelivery(this.message)
    return this.encoded
  }

  /**
   * Makes the message fit to be kept: its body is a view of the chunk it was received in, up to 64 KiB that would be
   * kept with it; the encoded frame is made anew when it is needed.
   */
  keep (): void {
    this.encoded = undefined
    if (this.ownsBody) return
    this.ownsBody = true
    const body = Buffer.allocUnsafeSlow(this.message.msgBody.length)
    body.set(this.message.msgBody)
    this.message.msgBody = body
  }
}
