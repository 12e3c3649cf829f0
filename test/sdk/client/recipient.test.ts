import t from 'tap'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

t.test('whom a message is for is what its type says, whatever else its sender filled in', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.deliver({ msgId: 'single', msgType: 0, toUserId: 'alice', groupId: 'board' })
  accepted.deliver({ msgId: 'group', msgType: 1, toUserId: 'alice', groupId: 'board' })
  await alice.until(() => alice.messages.length === 2)
  t.match(alice.messages, [
    { msgId: 'single', toUserId: 'alice', groupId: '' },
    { msgId: 'group', toUserId: '', groupId: 'board' },
  ])
})
