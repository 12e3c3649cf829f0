import { once } from 'node:events'
import t from 'tap'
import { body } from '../helpers/client.js'
import { startPatientGateway as startGateway } from '../helpers/patient-gateway.js'

t.test('the time to the ack is counted from the frame on, hooks included', async t => {
  const gateway = await startGateway(t)
  const alice = await gateway.connect('alice')
  const { hooksClient } = gateway.server.app
  const checkMessage = hooksClient.checkMessage.bind(hooksClient)
  const gate = new EventTarget()
  let seconds = 0
  hooksClient.checkMessage = async (...call) => {
    const begun = performance.now()
    const [answer] = await Promise.all([checkMessage(...call), once(gate, 'open')])
    seconds = (performance.now() - begun) / 1000
    return answer
  }
  alice.send({ msgId: 'm1', toUserId: 'bob', msgBody: body('hello') })
  // The answer of the second is there first: it does not go through the hook.
  await alice.sendAndAck({ msgId: 'm2', toUserId: '', msgBody: body('to nobody') })
  t.equal(await gateway.metric('mics_message_ack_duration_seconds_count'), 1, 'a FAILED ack counts as well')
  const before = await gateway.metric('mics_message_ack_duration_seconds_sum')
  gate.dispatchEvent(new Event('open'))
  await alice.waitAcks(2)
  t.equal(await gateway.metric('mics_message_ack_duration_seconds_count'), 2)
  const after = await gateway.metric('mics_message_ack_duration_seconds_sum')
  t.ok(after - before >= seconds, `${after} - ${before} >= ${seconds}`)
  t.ok(seconds > 0)
})
