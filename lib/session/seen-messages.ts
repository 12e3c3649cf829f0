import { keyOf } from '../dedup/message-identity.js'
import type { Message } from '../protocol/message.js'

/** Messages remembered: all that a pull may bring, and about as many that come from elsewhere meanwhile. */
const MAX_MESSAGES = 2048

/** Tells messages that come a second time, by sender, device and msg_id. Remembers the latest. */
export class SeenMessages {
  private readonly keys = new Set<string>()

  /** Whether it has not been here before; from now on it has. */
  add (message: Pick<Message, 'userId' | 'deviceId' | 'msgId'>): boolean {
    const key = keyOf(message)
    if (this.keys.has(key)) return false
    if (this.keys.size >= MAX_MESSAGES) this.keys.delete(this.keys.values().next().value as string)
    this.keys.add(key)
    return true
  }
}
