import type { BodyEncryption } from './encryption-port.js'
import { MicsError, textOf } from './errors.js'
import { MessageType, type MessageRequest } from './frames.js'
import type { Listeners } from './listeners.js'
import type { IncomingMessage } from './message.js'
import { SeenKeys } from './seen-keys.js'
import { decodeUtf8 } from './utf8.js'

/** Messages that repeats are recognized by. */
const SEEN_MESSAGES = 10_000

/** Messages that may wait to be decrypted. A socket cannot be held up: the app is told what is lost beyond. */
const MAX_DECRYPTING = 10_000
/** Bytes of their bodies. */
const MAX_DECRYPTING_BYTES = 64 * 1024 * 1024

/** Hands on what arrives, in order, and tells repeats apart. */
export class Inbox {
  readonly #listeners: Listeners
  readonly #encryption: BodyEncryption | undefined
  #seen = new SeenKeys(SEEN_MESSAGES)
  #userId = ''
  #decrypting = 0
  #decryptingBytes = 0
  #last: Promise<void> = Promise.resolve()

  constructor (listeners: Listeners, encryption: BodyEncryption | undefined) {
    this.#listeners = listeners
    this.#encryption = encryption
  }

  /** @param userId who this client is */
  receive (delivered: MessageRequest, userId: string): void {
    const request = addressed(delivered)
    if (userId !== this.#userId) {
      // What one user has seen is new to the next who logs in.
      this.#userId = userId
      this.#seen = new SeenKeys(SEEN_MESSAGES)
    }
    const isNew = this.#seen.add(keyOf(request))
    const event = isNew ? 'message' : 'repeat'
    const { length } = request.msgBody
    if (this.#encryption === undefined) {
      this.#listeners.emit(event, incoming(request, request.msgBody, userId))
    } else if (this.#decrypting >= MAX_DECRYPTING || this.#decryptingBytes + length > MAX_DECRYPTING_BYTES) {
      const words = `${this.#decrypting} messages with ${this.#decryptingBytes} bytes wait to be decrypted already`
      this.#failed(request, userId, new Error(words))
    } else {
      this.#decrypting++
      this.#decryptingBytes += length
      const decrypted = decrypt(this.#encryption, request)
      // All are begun at once, and each waits for those before it: that it failed is dealt with then.
      decrypted.catch(() => {})
      this.#last = this.#last.then(async () => {
        try {
          this.#listeners.emit(event, incoming(request, await decrypted, userId))
        } catch (cause) {
          this.#failed(request, userId, cause)
        }
        this.#decrypting--
        this.#decryptingBytes -= length
      })
    }
  }

  #failed (request: MessageRequest, ownUserId: string, cause: unknown): void {
    const { msgId, userId, deviceId } = request
    // The app has not had it: if it comes again, as from a server that keeps messages, it is no repeat.
    this.#seen.forget(keyOf(request))
    this.#listeners.emit('error', new MicsError('MICS_ENCRYPTION_FAILED',
      `the message ${msgId} from ${userId} (device ${deviceId}) cannot be decrypted: ${textOf(cause)}`,
      { cause, received: incoming(request, request.msgBody, ownUserId) }))
  }
}

function keyOf ({ userId, deviceId, msgId }: MessageRequest): string {
  return JSON.stringify([userId, deviceId, msgId])
}

/**
 * With the one recipient that its type says. A sender can fill in both, and the gateway hands on what it does not look
 * at: a message to one user would else show up in any group that its sender names, member or not.
 */
function addressed (request: MessageRequest): MessageRequest {
  return request.msgType === MessageType.GROUP_CHAT ? { ...request, toUserId: '' } : { ...request, groupId: '' }
}

async function decrypt (encryption: BodyEncryption, request: MessageRequest): Promise<Uint8Array> {
  const { tenantId, msgId, toUserId, groupId, msgBody } = request
  return await encryption.decrypt(msgBody, { tenantId, msgId, toUserId, groupId })
}

function incoming (request: MessageRequest, body: Uint8Array, ownUserId: string): IncomingMessage {
  const { msgId, userId, deviceId, toUserId, groupId, timestampMs } = request
  let text: string | undefined
  return {
    msgId,
    userId,
    deviceId,
    toUserId,
    groupId,
    body,
    // Bodies need not be text: only who asks pays for it.
    get text () {
      text ??= decodeUtf8(body)
      return text
    },
    timestampMs,
    isOwn: userId === ownUserId,
  }
}
