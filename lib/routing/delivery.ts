import type { Message } from '../protocol/message.js'
import { encodeDelivery, messageIn } from '../protocol/server-frame.js'

/** Writing to as many sockets takes about as long as the rest of a turn of the event loop under load. */
const BULK_RECIPIENTS = 64

/** One message on its way to all who receive it: the frame is encoded once and shared between their sockets. */
export class Delivery {
  private encoded?: Buffer
  private ownsBody = false

  /** Goes to so many that their sockets are written to little by little, and others in between. */
  readonly isBulk: boolean

  /**
   * @param seq position in the order of messages of the node that they came to
   * @param recipients users that it is for
   */
  constructor (readonly message: Message, readonly seq: number, recipients = 1) {
    this.isBulk = recipients >= BULK_RECIPIENTS
  }

  /** The complete WebSocket frame. */
  get frame (): Buffer {
    this.encoded ??= encodeDelivery(this.message)
    return this.encoded
  }

  /** The bare MessageRequest, for peers: a view into the frame, so that a message is encoded once for all. */
  get encodedMessage (): Buffer {
    return messageIn(this.frame)
  }

  /** Makes the message fit to be kept: its body is a view of what it was received in, which would be kept with it. */
  keep (): void {
    if (this.ownsBody) return
    this.ownsBody = true
    const body = Buffer.allocUnsafeSlow(this.message.msgBody.length)
    body.set(this.message.msgBody)
    this.message.msgBody = body
  }

  /** For when nobody needs the frame for now: a kept message would take twice its memory. It is made anew on demand. */
  forgetFrame (): void {
    this.encoded = undefined
  }
}
