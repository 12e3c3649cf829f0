/**
 * Turns bodies into what only those with the key can read, and back. Both must come to an end: messages keep their
 * order, so one that waits for its key holds up those behind it, incoming ones without a limit of time.
 */
export interface BodyEncryption {
  encrypt (body: Uint8Array, context: EncryptionContext): Promise<Uint8Array>
  /** Rejects where the body was not encrypted for this context, or with a key that is not known. */
  decrypt (body: Uint8Array, context: EncryptionContext): Promise<Uint8Array>
}

/** What a body belongs to. An encryption binds the body to it, so that it cannot be moved to another message. */
export interface EncryptionContext {
  tenantId: string
  msgId: string
  /** Empty for a group message. */
  toUserId: string
  /** Empty for a message to one user. */
  groupId: string
}
