import type { Message } from '../protocol/message.js'

/** Messages that are held for one user, and users for whom something is held. */
const MAX_PER_USER = 1000
const MAX_USERS = 10_000

interface Held {
  message: Message
  /** Only for this device. */
  deviceId?: string
}

/** What waits for users who are not connected. */
export class HeldMessages {
  readonly #users = new Map<string, Held[]>()

  /** False: there is no room, for too many users wait. Of one user's the oldest gives way. */
  add (userKey: string, message: Message, deviceId?: string): boolean {
    let held = this.#users.get(userKey)
    if (held === undefined) {
      if (this.#users.size >= MAX_USERS) return false
      this.#users.set(userKey, held = [])
    }
    held.push({ message, deviceId })
    if (held.length > MAX_PER_USER) held.shift()
    return true
  }

  /** What this device gets, which is not held any more. */
  take (userKey: string, deviceId: string): Message[] {
    const held = this.#users.get(userKey) ?? []
    const isFor = (one: Held): boolean => one.deviceId === undefined || one.deviceId === deviceId
    const left = held.filter(one => !isFor(one))
    if (left.length > 0) this.#users.set(userKey, left)
    else this.#users.delete(userKey)
    return held.filter(isFor).map(({ message }) => message)
  }
}
