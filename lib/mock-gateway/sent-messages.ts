import { createHash } from 'node:crypto'
import type { Message } from '../protocol/message.js'

/** Messages that repeats are recognized by. */
const CAPACITY = 10_000

/** Which messages were sent, by tenant, sender, device and msg_id: the latest 10,000. */
export class SentMessages {
  readonly #contents = new Map<string, string>()

  /** Remembers a message that is new. */
  add (message: Message): 'new' | 'duplicate' | 'conflict' {
    const { tenantId, userId, deviceId, msgId, msgType, toUserId, groupId, msgBody } = message
    const key = digest(JSON.stringify([tenantId, userId, deviceId, msgId]))
    const content = digest(JSON.stringify([msgType, toUserId, groupId]), msgBody)
    const known = this.#contents.get(key)
    if (known !== undefined) return known === content ? 'duplicate' : 'conflict'
    this.#contents.set(key, content)
    if (this.#contents.size > CAPACITY) this.#contents.delete(this.#contents.keys().next().value as string)
    return 'new'
  }

  forget ({ tenantId, userId, deviceId, msgId }: Message): void {
    this.#contents.delete(digest(JSON.stringify([tenantId, userId, deviceId, msgId])))
  }
}

function digest (text: string, bytes: Uint8Array = new Uint8Array()): string {
  return createHash('sha256').update(text).update(bytes).digest('base64')
}
