import t from 'tap'
import { ScriptedGateway } from './scripted-gateway.js'
import { SdkClient } from './sdk-client.js'

t.test('an error about a frame has the code and the words of the gateway', async t => {
  const gateway = await ScriptedGateway.start(t)
  const alice = new SdkClient(t, { url: gateway.url })
  alice.client.connect()
  const accepted = await gateway.letIn()
  accepted.send({ case: 'error', value: { code: 4400, message: 'not a ClientFrame' } })
  await alice.until(() => alice.errors.length === 1)
  t.match(alice.errors, [{ code: 'MICS_PROTOCOL_ERROR', serverError: { code: 4400, message: 'not a ClientFrame' } }])

  const sent = alice.client.send({ toUserId: 'bob', body: 'hello' })
  await accepted.untilMessages(1)
  accepted.send({ case: 'error', value: { code: 4401, message: 'too large: at most 9 bytes' } })
  await t.rejects(sent, {
    code: 'MICS_BODY_TOO_LARGE', serverError: { code: 4401, message: 'too large: at most 9 bytes' },
  })
})
