/** Codes of ServerError: what is wrong with a frame. The connection stays open after either. */
export const FrameError = {
  NOT_A_CLIENT_FRAME: 4400,
  FRAME_TOO_LARGE: 4401,
} as const

export type FrameError = typeof FrameError[keyof typeof FrameError]

/** Reasons of a FAILED ack, apart from a hook's own; and `duplicate`, of a SENT one. */
export const AckReason = {
  MISSING_TO_USER_ID: 'missing to_user_id',
  MISSING_GROUP_ID: 'missing group_id',
  INVALID_MSG_TYPE: 'invalid msg_type',
  BODY_TOO_LARGE: 'msg_body_too_large',
  QPS_LIMITED: 'tenant qps limited',
  /** The check hook said no without a reason of its own. */
  REJECTED: 'message rejected',
  /** The check hook failed, and the tenant chose to refuse then. */
  CHECK_UNAVAILABLE: 'check unavailable',
  MEMBERS_UNAVAILABLE: 'group members unavailable',
  MEMBERS_EMPTY: 'group members empty',
  GROUP_TOO_LARGE: 'group too large',
  MSG_ID_CONFLICT: 'msg_id conflict',
  DELIVERY_FAILED: 'delivery failed',
  INTERNAL_ERROR: 'internal error',
  DUPLICATE: 'duplicate',
} as const

export type AckReason = typeof AckReason[keyof typeof AckReason]
