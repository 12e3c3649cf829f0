import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import {
  AuthRequestSchema, CheckMessageRequestSchema, GetGroupMembersRequestSchema, GetOfflineMessagesRequestSchema,
} from '../gen/mics/hook/v1/hook_pb.js'
import type { MessageRequestSchema } from '../gen/mics/message/v1/message_pb.js'

// Requests without their `meta`, which is added and signed when they are sent.

export function authQuestion (token: string, deviceId: string): Uint8Array {
  return toBinary(AuthRequestSchema, create(AuthRequestSchema, { token, deviceId }))
}

export function messageQuestion (message: MessageInitShape<typeof MessageRequestSchema>): Uint8Array {
  return toBinary(CheckMessageRequestSchema, create(CheckMessageRequestSchema, { message }))
}

export function membersQuestion (groupId: string): Uint8Array {
  return toBinary(GetGroupMembersRequestSchema, create(GetGroupMembersRequestSchema, { groupId }))
}

export function offlineQuestion (
  page: { userId: string, deviceId: string, maxMessages: number, cursor: string }
): Uint8Array {
  return toBinary(GetOfflineMessagesRequestSchema, create(GetOfflineMessagesRequestSchema, page))
}
