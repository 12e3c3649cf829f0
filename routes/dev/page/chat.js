import { randomId } from './identity.js'

const maxMessages = 500
const maxConversations = 200
const maxWaiting = 200

/**
 * @typedef {object} Entry One message as this page shows it.
 * @property {string} msgId
 * @property {boolean} own
 * @property {string} from
 * @property {string} text
 * @property {number} at Unix milliseconds.
 * @property {'received' | 'synced' | 'pending' | 'sent' | 'failed'} state synced: written by this person elsewhere.
 * @property {string} detail What the ack said besides.
 * @property {string} node The node that brought it, or that acked it; empty where there is only one.
 * @property {object} [request] What was sent, to send exactly that again.
 */

/** What one person has said and heard: conversations, acks, and what still waits for its ack. Knows no DOM. */
export class Chat {
  /** @type {Map<string, { key: string, group: boolean, id: string, entries: Entry[], unread: number }>} */
  conversations = new Map()
  selected = ''
  #userId
  #send
  #node
  #changed
  /** Messages without an ack. Those on their way, or due when there is a connection, the client keeps as well. */
  #waiting = new Map()
  /** Of them those that the client gave up when the person went offline: they go out when the person is back. */
  #held = new Map()

  /**
   * @param {{ userId: string, send: (message: object) => Promise<object>, node: () => string,
   *   changed: (key: string) => void }} options send: as of the SDK's client
   */
  constructor ({ userId, send, node, changed }) {
    this.#userId = userId
    this.#send = send
    this.#node = node
    this.#changed = changed
  }

  /** How many messages wait for their ack. */
  get waiting () {
    return this.#waiting.size
  }

  /** The conversation with a person or of a group; made where there is none. */
  conversation (group, id) {
    const key = `${group ? 'group' : 'user'}:${id}`
    let conversation = this.conversations.get(key)
    if (conversation === undefined) {
      conversation = { key, group, id, entries: [], unread: 0 }
      this.conversations.set(key, conversation)
      this.#forgetOldest()
    }
    return conversation
  }

  select (key) {
    this.selected = key
    const conversation = this.conversations.get(key)
    if (conversation !== undefined) conversation.unread = 0
    this.#changed(key)
  }

  /** @returns {boolean} false where too much is waiting already. */
  write (text) {
    const { group, id, key } = this.conversations.get(this.selected)
    if (this.#waiting.size >= maxWaiting) return false
    const request = {
      msgId: randomId(16),
      ...(group ? { groupId: id } : { toUserId: id }),
      body: text,
      timestampMs: Date.now(),
    }
    const { msgId, timestampMs } = request
    const entry = { msgId, own: true, from: this.#userId, text, at: timestampMs, state: 'pending', detail: '', node: '' }
    this.#add(key, { ...entry, request })
    this.#sendEntry(this.conversations.get(key).entries.at(-1), key)
    return true
  }

  /** The same message under the same id: after a failure a new try, otherwise a duplicate that the gateway knows. */
  sendAgain (entry, key) {
    entry.state = 'pending'
    entry.detail = ''
    entry.node = ''
    this.#sendEntry(entry, key)
  }

  /** The person is back: without an ack nobody knows whether it arrived; under the same id it cannot arrive twice. */
  sendHeld () {
    const held = [...this.#held.values()]
    this.#held.clear()
    for (const { entry, key } of held) this.#sendEntry(entry, key)
  }

  receive (message) {
    const { isOwn, groupId, toUserId, userId } = message
    const group = groupId !== ''
    const { key } = this.conversation(group, group ? groupId : isOwn ? toUserId : userId)
    this.#add(key, {
      msgId: message.msgId,
      own: isOwn,
      from: userId,
      text: message.text,
      at: message.timestampMs,
      state: isOwn ? 'synced' : 'received',
      detail: '',
      node: this.#node(),
    })
  }

  #sendEntry (entry, key) {
    this.#waiting.set(entry.msgId, entry)
    this.#send(entry.request).then(
      ack => this.#settle(entry, key, 'sent', [ack.reason, ...offlineDetails(ack)]),
      error => {
        if (['MICS_CLIENT_CLOSED', 'MICS_CONNECTION_ENDED'].includes(error.code)) this.#held.set(entry.msgId, { entry, key })
        else this.#settle(entry, key, 'failed', error.ack === undefined ? [error.message] : [error.ack.reason])
      })
    this.#changed(key)
  }

  #settle (entry, key, state, details) {
    this.#waiting.delete(entry.msgId)
    entry.state = state
    entry.node = this.#node()
    entry.detail = details.filter(part => part !== '').join(' · ')
    this.#changed(key)
  }

  #add (key, entry) {
    const conversation = this.conversations.get(key)
    // What this tab wrote may come back to its next connection, as a note to oneself does.
    const known = conversation.entries.some(other => other.msgId === entry.msgId && other.from === entry.from)
    if (known) return
    conversation.entries.push(entry)
    if (conversation.entries.length > maxMessages) conversation.entries.shift()
    if (!entry.own && this.selected !== key) conversation.unread++
    this.#changed(key)
  }

  #forgetOldest () {
    if (this.conversations.size <= maxConversations) return
    for (const key of this.conversations.keys()) {
      if (key === this.selected) continue
      this.conversations.delete(key)
      return
    }
  }
}

function offlineDetails (ack) {
  const details = []
  const users = count => count === 1 ? 'an offline user' : `${count} offline users`
  if (ack.offlineBufferedUsers > 0) details.push(`buffered for ${users(ack.offlineBufferedUsers)}`)
  if (ack.offlineNotifiedUsers > 0) details.push(`announced for ${users(ack.offlineNotifiedUsers)}`)
  if (ack.offlineSkippedUsers > 0) details.push(`not kept for ${users(ack.offlineSkippedUsers)}`)
  if (ack.partialDelivery && ack.offlineSkippedUsers === 0) details.push('some members missed it')
  return details
}
