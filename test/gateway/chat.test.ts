import t from 'tap'
import { AckStatus, body, MessageType, text } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'

t.test('two people chat one to one', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')

  const ack = await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hello') })
  t.equal(ack.status, AckStatus.SENT)
  t.equal(ack.reason, '')
  const [message] = await bob.waitMessages(1)
  t.equal(text(message), 'hello')
  t.match(message, { tenantId: 't1', userId: 'alice', deviceId: 'd1', msgId: ack.msgId, toUserId: 'bob' })
  t.ok(message.timestampMs > 0n, 'the gateway fills in the time')
})

t.test('a group message reaches every member but the sender', async t => {
  const gateway = await startGateway(t)
  gateway.hooks.groups.set('g', ['alice', 'bob', 'carol'])
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(async user => await gateway.connect(user)))

  const ack = await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('hi all') })
  t.equal(ack.status, AckStatus.SENT)
  t.equal(text((await bob.waitMessages(1))[0]), 'hi all')
  t.equal(text((await carol.waitMessages(1))[0]), 'hi all')
  await alice.roundTrip()
  t.equal(alice.messages.length, 0)
})
