import t from 'tap'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { Person } from './person.js'
import { StartedExample } from './started-example.js'

t.test('the bot answers a person, and in a group only who mentions it', async t => {
  const example = StartedExample.start(t, 'bot')
  const url = await example.printed(/The gateway is (\S+)/)
  await example.printed(/connected as bot/)
  const alice = await Person.connect(t, { url, user: 'alice' })
  t.equal(await alice.ask({ toUserId: 'bot' }, '/help'),
    'I know /help and /time. Whatever else you write comes back. In a group, mention me.')
  t.match(await alice.ask({ toUserId: 'bot' }, '/time'), /^It is \d{4}-\d\d-\d\dT/)
  t.equal(await alice.ask({ toUserId: 'bot' }, 'Hello 你好'), 'You said: Hello 你好')

  await alice.send({ groupId: 'lobby' }, 'nobody in particular')
  t.equal(await alice.ask({ groupId: 'lobby' }, '@bot and you?'), '@alice You said: and you?')
  t.notMatch(alice.texts, [/nobody in particular/], 'what was not meant for it has no answer')

  await example.pressCtrlC()
  t.match(example.output, /stopping/)
})

t.test('the bot comes back to a gateway that was away, and ends when it is told to', async t => {
  const gateway = await startPatientGateway(t)
  const example = StartedExample.start(t, 'bot', {
    MICS_URL: gateway.url.replace('http', 'ws'), MICS_TENANT: 't1', MICS_TOKEN: 'valid:robot',
  })
  await example.printed(/connected as robot/)
  const [session] = gateway.server.app.connections.list('t1')
  session.close(CloseCode.DRAINING, 'this node is shutting down')
  await example.printed(/not connected \(4200 .*\n(.*\n)*connected as robot/)
  const alice = await Person.connect(t, { url: gateway.url.replace('http', 'ws'), user: 'alice', tenantId: 't1' })
  t.equal(await alice.ask({ toUserId: 'robot' }, 'still there?'), 'You said: still there?')
  await example.terminate()
  t.notOk(example.isRunning(), 'with all that it had started')
})

t.test('a bot whose token is refused says so and ends', async t => {
  const gateway = await startPatientGateway(t)
  const example = StartedExample.start(t, 'bot', {
    MICS_URL: gateway.url.replace('http', 'ws'), MICS_TENANT: 't1', MICS_TOKEN: 'wrong',
  })
  await example.printed(/the gateway closed the connection for good: 4001 invalid token/)
  t.equal(await example.ended(), 1)
})
