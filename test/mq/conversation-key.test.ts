import fc from 'fast-check'
import t from 'tap'
import { MessageType } from '../../lib/gen/mics/message/v1/message_pb.js'
import { conversationKey } from '../../lib/mq/conversation-key.js'
import { utf16 } from '../protocol/wire-arbitraries.js'

function single (userId: string, toUserId: string): string {
  return conversationKey({ msgType: MessageType.SINGLE_CHAT, userId, toUserId, groupId: '' })
}

t.test('a single chat has one key, whoever writes', async t => {
  t.equal(single('bob', 'ann'), 'ann:bob')
  t.equal(single('ann', 'bob'), 'ann:bob')
  t.equal(single('ann', 'ann'), 'ann:ann')
  fc.assert(fc.property(utf16, utf16, (one, other) => single(one, other) === single(other, one)))
})

t.test('the key of a group is its id, whoever writes and whatever else the message names', async t => {
  t.equal(conversationKey({ msgType: MessageType.GROUP_CHAT, userId: 'bob', toUserId: 'ann', groupId: 'team' }), 'team')
})
