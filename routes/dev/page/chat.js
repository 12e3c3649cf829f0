import { AckStatus, MessageType } from './frames.js'
import { randomId } from './identity.js'

const maxMessages = 500
const maxConversations = 200
const maxUnacked = 200

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
  /** Own messages without an ack, oldest first: all of them go out again after a reconnect. */
  #unacked = new Map()

  /**
   * @param {{ userId: string, send: (frame: object) => boolean, node: () => string,
   *   changed: (key: string) => void }} options
   */
  constructor ({ userId, send, node, changed }) {
    this.#userId = userId
    this.#send = send
    this.#node = node
    this.#changed = changed
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
    if (this.#unacked.size >= maxUnacked) return false
    const request = {
      msgId: randomId(16),
      msgType: group ? MessageType.GROUP_CHAT : MessageType.SINGLE_CHAT,
      toUserId: group ? '' : id,
      groupId: group ? id : '',
      msgBody: new TextEncoder().encode(text),
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
    this.#changed(key)
  }

  /** Without an ack nobody knows whether it arrived; sent again under the same id it cannot arrive twice. */
  resendUnacked () {
    for (const { entry } of this.#unacked.values()) this.#send({ case: 'message', value: entry.request })
  }

  receive (frame) {
    if (frame.case === 'ack') this.#acked(frame.value)
    else if (frame.case === 'delivery' && frame.value.message !== undefined) this.#delivered(frame.value.message)
  }

  #sendEntry (entry, key) {
    this.#unacked.set(entry.msgId, { entry, key })
    this.#send({ case: 'message', value: entry.request })
  }

  #acked (ack) {
    const waiting = this.#unacked.get(ack.msgId)
    if (waiting === undefined) return
    this.#unacked.delete(ack.msgId)
    const { entry, key } = waiting
    entry.state = ack.status === AckStatus.SENT ? 'sent' : 'failed'
    entry.node = this.#node()
    entry.detail = [ack.reason, ...offlineDetails(ack)].filter(part => part !== '').join(' · ')
    this.#changed(key)
  }

  #delivered (message) {
    const own = message.userId === this.#userId
    const group = message.msgType === MessageType.GROUP_CHAT
    const { key } = this.conversation(group, group ? message.groupId : own ? message.toUserId : message.userId)
    this.#add(key, {
      msgId: message.msgId,
      own,
      from: message.userId,
      text: new TextDecoder().decode(message.msgBody),
      at: Number(message.timestampMs),
      state: own ? 'synced' : 'received',
      detail: '',
      node: this.#node(),
    })
  }

  #add (key, entry) {
    const conversation = this.conversations.get(key)
    // A message may come a second time, when its first delivery was not confirmed before a reconnect.
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
