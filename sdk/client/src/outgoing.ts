import { isBytes } from './bytes.js'
import { MicsError, textOf } from './errors.js'
import { encodeClientFrame, MessageType } from './frames.js'
import type { OutgoingMessage } from './message.js'
import { invalid, isFilled, type Settings } from './settings.js'
import { ulid } from './ulid.js'
import { decodeUtf8, encodeUtf8 } from './utf8.js'

/** A message to send, checked and complete. */
export interface Outgoing {
  msgId: string
  toUserId: string
  groupId: string
  body: Uint8Array
  timestampMs: number
}

/** @throws {MicsError} MICS_INVALID_ARGUMENT, MICS_BODY_TOO_LARGE */
export function outgoingOf (message: OutgoingMessage, { maxBodyBytes }: Settings): Outgoing {
  if (typeof message !== 'object' || message === null) throw invalid('the message', 'must be an object')
  const { msgId = ulid(Date.now(), Math.random), timestampMs = Date.now() } = message
  const toUserId = textOr('toUserId', message.toUserId)
  const groupId = textOr('groupId', message.groupId)
  const body = typeof message.body === 'string' ? encodeUtf8(message.body) : message.body
  if (!isBytes(body)) throw invalid('body', 'must be a string or a Uint8Array')
  if (isFilled(toUserId) === isFilled(groupId)) throw invalid('the message', 'must have either toUserId or groupId')
  if (!isFilled(msgId)) throw invalid('msgId', 'must be a string that is not empty')
  // The answer would have another id, and be nobody's.
  if (decodeUtf8(encodeUtf8(msgId)) !== msgId) throw invalid('msgId', 'must be Unicode text: it has half of a surrogate pair')
  if (!Number.isSafeInteger(timestampMs)) throw invalid('timestampMs', 'must be a whole number of milliseconds')
  checkSize(body, maxBodyBytes)
  return { msgId, toUserId, groupId, body, timestampMs }
}

/** What is not there is empty; so is null, which apps in plain JavaScript give. */
function textOr (name: string, value: unknown): string {
  const text = value ?? ''
  if (typeof text !== 'string') throw invalid(name, 'must be a string')
  return text
}

export function frameOf ({ msgId, toUserId, groupId, body, timestampMs }: Outgoing): Uint8Array {
  return encodeClientFrame({
    case: 'message',
    value: {
      // The gateway fills in who sends it.
      tenantId: '',
      userId: '',
      deviceId: '',
      msgId,
      msgType: groupId === '' ? MessageType.SINGLE_CHAT : MessageType.GROUP_CHAT,
      toUserId,
      groupId,
      msgBody: body,
      timestampMs,
    },
  })
}

/** @throws {MicsError} MICS_ENCRYPTION_FAILED, MICS_BODY_TOO_LARGE */
export async function encryptedFrameOf (
  outgoing: Outgoing, encryption: NonNullable<Settings['encryption']>, { tenantId, maxBodyBytes }: Settings
): Promise<Uint8Array> {
  const { msgId, toUserId, groupId } = outgoing
  let body
  try {
    // A copy: the app may use its own for something else meanwhile.
    body = await encryption.encrypt(new Uint8Array(outgoing.body), { tenantId, msgId, toUserId, groupId })
  } catch (cause) {
    throw new MicsError('MICS_ENCRYPTION_FAILED', `the message ${msgId} cannot be encrypted: ${textOf(cause)}`, { cause })
  }
  checkSize(body, maxBodyBytes)
  return frameOf({ ...outgoing, body })
}

function checkSize ({ length }: Uint8Array, maxBodyBytes: number): void {
  if (length <= maxBodyBytes) return
  throw new MicsError('MICS_BODY_TOO_LARGE', `the body has ${length} bytes, and maxBodyBytes is ${maxBodyBytes}: send less at once`)
}
