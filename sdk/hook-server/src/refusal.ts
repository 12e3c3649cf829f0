/** Why a call was not answered by a handler. */
export type RefusalReason =
  | 'unknown_path' | 'wrong_method' | 'wrong_content_type'
  | 'too_large' | 'body_timeout' | 'undecodable'
  | 'unknown_tenant' | 'unsigned' | 'wrong_signature' | 'expired' | 'replayed'
  | 'busy'

const statuses: Readonly<Record<RefusalReason, number>> = {
  unknown_path: 404,
  wrong_method: 405,
  wrong_content_type: 415,
  too_large: 413,
  body_timeout: 408,
  undecodable: 400,
  unknown_tenant: 401,
  unsigned: 401,
  wrong_signature: 401,
  expired: 401,
  replayed: 401,
  busy: 503,
}

export const refusalReasons = Object.keys(statuses) as readonly RefusalReason[]

/** A call that is refused before a handler hears of it. The message says to the caller what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number

  /** @param leavesBody is part of the body still unread? Then its connection cannot serve another call. */
  constructor (
    readonly reason: RefusalReason, message: string,
    readonly leavesBody = reason === 'too_large' || reason === 'body_timeout'
  ) {
    super(message)
    this.status = statuses[reason]
  }
}
