import type { Message } from '../../lib/protocol/message.js'

/** A message on its way through the gateway: alice's single chat to bob, but for the fields given. */
export function aMessage (fields: Partial<Message> = {}): Message {
  return {
    tenantId: 't1',
    userId: 'alice',
    deviceId: 'd1',
    msgId: 'm1',
    msgType: 0,
    toUserId: 'bob',
    groupId: '',
    msgBody: Buffer.from('hello'),
    timestampMs: 1n,
    ...fields,
  }
}
