import t from 'tap'
import { ScriptedGateway } from '../sdk/client/scripted-gateway.js'
import { startClient } from './run-client.js'

const asAlice = ['--user', 'alice', '--to', 'bob']

t.test('messages go out one after another, each when the one before it is acked', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { exitCode } = startClient(t, gateway, [...asAlice, '--text', 'one', '--text', 'two', '--heartbeat', '0.2'])
  const connection = await gateway.letIn()
  connection.socket.on('message', () => connection.send({ case: 'heartbeatPong', value: { timestampMs: 1 } }))
  const [{ msgId }] = await connection.untilMessages(1)
  const heartbeats = connection.heartbeats
  await connection.until(() => connection.heartbeats > heartbeats)
  t.equal(connection.messages.length, 1, 'it goes on without sending the second')
  connection.ack(msgId)
  const [, second] = await connection.untilMessages(2)
  connection.ack(second.msgId)
  t.equal(await exitCode, 0)
  t.strictSame(connection.messages.map(({ msgBody }) => Buffer.from(msgBody).toString()), ['one', 'two'])
})

for (const code of [4400, 4401]) {
  t.test(`a message whose frame is answered with ${code} has FAILED, and is not sent again`, async t => {
    const gateway = await ScriptedGateway.start(t)
    const { exitCode, lines } = startClient(t, gateway, [...asAlice, '--text', 'one', '--text', 'two', '--retry', '60'])
    const first = await gateway.letIn()
    const [{ msgId }] = await first.untilMessages(1)
    first.send({ case: 'error', value: { code, message: 'no such frame' } })
    await first.untilMessages(2)
    first.socket.close(4200, 'draining')

    const second = await gateway.letIn()
    const [again] = await second.untilMessages(1)
    t.equal(Buffer.from(again.msgBody).toString(), 'two')
    second.ack(again.msgId)
    t.equal(await exitCode, 1)
    t.equal(second.messages.length, 1)
    t.match(lines(), [
      { type: 'connected' },
      { type: 'error', code, message: 'no such frame' },
      { type: 'ack', msg_id: msgId, status: 'FAILED', reason: 'no such frame' },
      { type: 'closed', code: 4200, reason: 'draining', reconnect_in_ms: Number },
      { type: 'connected' },
      { type: 'ack', msg_id: again.msgId, status: 'SENT' },
      { type: 'closed', code: 1000 },
    ])
    t.equal(lines().length, 7)
  })
}

t.test('an error that is about no frame is printed, and the message waits for its ack', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { exitCode, lines } = startClient(t, gateway, [...asAlice, '--text', 'one'])
  const connection = await gateway.letIn()
  const [{ msgId }] = await connection.untilMessages(1)
  connection.send({ case: 'error', value: { code: 4999, message: 'of a later version' } })
  connection.ack(msgId)
  t.equal(await exitCode, 0)
  t.match(lines().slice(1, 3), [{ type: 'error', code: 4999, message: 'of a later version' }, { type: 'ack', status: 'SENT' }])
})

t.test('it goes to the next --url when its node stops, and sends there what had no ack', async t => {
  const [one, two] = [await ScriptedGateway.start(t), await ScriptedGateway.start(t)]
  const { exitCode, lines } = startClient(t, { url: `${one.url},${two.url}` }, [...asAlice, '--text', 'one', '--msg-id', 'm1'])
  const first = await one.letIn()
  await first.untilMessages(1)
  first.socket.close(4200, 'draining')
  const second = await two.letIn()
  t.match(await second.untilMessages(1), [{ msgId: 'm1', toUserId: 'bob' }])
  second.ack('m1')
  t.equal(await exitCode, 0)
  t.match(lines().filter(({ type }) => type === 'connected'), [{ url: one.url }, { url: two.url }])
})

t.test('what comes a second time is printed as a repeat, and --receive does not count it', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { exitCode, lines } = startClient(t, gateway, ['--user', 'alice', '--receive', '2'])
  const connection = await gateway.letIn()
  for (const userId of ['bob', 'bob', 'carol']) connection.deliver({ msgId: 'm1', userId })
  t.equal(await exitCode, 0)
  t.match(lines().filter(({ type }) => type === 'message'), [
    { user_id: 'bob', repeat: undefined }, { user_id: 'bob', repeat: true }, { user_id: 'carol', repeat: undefined },
  ])
})

t.test('a server that is no gateway is left, and what is wrong is said', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { printed, lines, child, exitCode } = startClient(t, gateway, ['--user', 'alice', '--receive', '1'])
  const { socket } = await gateway.next()
  socket.send('hello')
  await printed('"type":"closed"')
  t.match(lines(), [{ type: 'error', message: /the gateway sent a text frame/ }, { type: 'closed', code: 1006, reason: 'it is no gateway' }])
  child.kill('SIGTERM')
  t.equal(await exitCode, 1)
})

t.test('a replaced device is told what to do', async t => {
  const gateway = await ScriptedGateway.start(t)
  const { exitCode, lines, child } = startClient(t, gateway, ['--user', 'alice'])
  let stderr = ''
  child.stderr.on('data', chunk => { stderr += chunk })
  const { socket } = await gateway.letIn()
  socket.close(4409, 'replaced')
  t.equal(await exitCode, 1)
  t.match(stderr, '4409, replaced: the device has connected elsewhere; give each client a --device of its own')
  t.strictSame(lines().map(({ type }) => type), ['connected', 'closed'])
})
