/** Tags, (field number << 3) | wire type, of the fields of MessageRequest. */
export const MESSAGE_TENANT_ID = 1 << 3 | 2
export const MESSAGE_USER_ID = 2 << 3 | 2
export const MESSAGE_DEVICE_ID = 3 << 3 | 2
export const MESSAGE_MSG_ID = 4 << 3 | 2
export const MESSAGE_MSG_TYPE = 5 << 3
export const MESSAGE_TO_USER_ID = 6 << 3 | 2
export const MESSAGE_GROUP_ID = 7 << 3 | 2
export const MESSAGE_MSG_BODY = 8 << 3 | 2
export const MESSAGE_TIMESTAMP_MS = 9 << 3

export const LAST_MESSAGE_FIELD = 9
