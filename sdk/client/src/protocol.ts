/*
 * The frames of the protocol, for tools that look at them. An app needs none of this.
 */

export interface MessageRequest {
  tenantId: string
  userId: string
  deviceId: string
  msgId: string
  /** 0 single chat, 1 group chat. */
  msgType: number
  toUserId: string
  groupId: string
  msgBody: Uint8Array
  /** Unix milliseconds. */
  timestampMs: number
}
