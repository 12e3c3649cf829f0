import { once } from 'node:events'
import t from 'tap'
import { body, MessageType, text } from '../helpers/client.js'
import { SECRET } from '../helpers/gateway.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { mics } from './run.js'
import { client, startClient } from './run-client.js'

t.test('it sends, prints the ack, and ends', async t => {
  const gateway = await startPatientGateway(t)
  const bob = await gateway.connect('bob')
  const { lines, stderr, exitCode } = await client(gateway,
    ['--user', 'alice', '--device', 'laptop', '--to', 'bob', '--text', 'hello', '--msg-id', 'm1'])
  t.match(lines, [
    { type: 'connected', user_id: 'alice', device_id: 'laptop', node_id: 'node-1', trace_id: /^[0-9a-f]{32}$/, url: gateway.url.replace('http', 'ws') },
    { type: 'ack', msg_id: 'm1', status: 'SENT', reason: '' },
    { type: 'closed', code: 1000 },
  ])
  for (const { time } of lines) t.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.same({ stderr, exitCode }, { stderr: '', exitCode: 0 })
  const [message] = await bob.waitMessages(1)
  t.match(message, { userId: 'alice', deviceId: 'laptop', msgId: 'm1', msgType: MessageType.SINGLE_CHAT })
  t.equal(text(message), 'hello')
})

t.test('it prints so many messages, and ends', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('team', ['alice', 'bob'])
  const bob = await gateway.connect('bob')
  await bob.sendAndAck({ msgId: 'm1', toUserId: 'alice', msgBody: body('\u001b[31mred') })
  await bob.sendAndAck({ msgId: 'm2', toUserId: 'alice', msgBody: Buffer.of(0xff, 0) })
  await bob.sendAndAck({ msgId: 'm3', msgType: MessageType.GROUP_CHAT, groupId: 'team', msgBody: body('all') })
  const { stdout, lines, exitCode } = await client(gateway, ['--user', 'alice', '--receive', '3'])
  t.match(lines.filter(({ type }) => type === 'message'), [
    { user_id: 'bob', device_id: 'd1', to_user_id: 'alice', msg_id: 'm1', msg_body_text: '\u001b[31mred' },
    { msg_id: 'm2', msg_body: '/wA=' },
    { msg_id: 'm3', group_id: 'team', msg_body_text: 'all' },
  ])
  t.notMatch(stdout, '\u001b', 'nothing that moves a terminal')
  t.equal(exitCode, 0)
})

t.test('each line of stdin is a message, in order', async t => {
  const gateway = await startPatientGateway(t)
  const bob = await gateway.connect('bob')
  const { child, exitCode } = startClient(t, gateway, ['--user', 'alice', '--to', 'bob'])
  child.stdin.end('one\ntwo\nthree')
  t.equal(await exitCode, 0)
  t.strictSame((await bob.waitMessages(3)).map(text), ['one', 'two', 'three'])
})

t.test('a message that is refused ends it with exit code 1', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.check = () => ({ allow: false, reason: 'not today' })
  const { lines, exitCode } = await client(gateway, ['--user', 'alice', '--to', 'bob', '--text', 'a', '--text', 'b', '--retry', '60'])
  t.match(lines.filter(({ type }) => type === 'ack'), [
    { status: 'FAILED', reason: 'not today' }, { status: 'FAILED', reason: 'not today' },
  ], 'what is refused for good is not sent again')
  t.equal(exitCode, 1)
})

t.test('with --retry what failed for now is sent again under the same msg_id', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.raw.set('get-group-members', response => {
    gateway.hooks.raw.delete('get-group-members')
    gateway.hooks.groups.set('team', ['bob'])
    response.writeHead(500).end()
  })
  const { lines, exitCode } = await client(gateway, ['--user', 'alice', '--group', 'team', '--text', 'a', '--retry', '60'])
  const acks = lines.filter(({ type }) => type === 'ack')
  t.match(acks, [{ status: 'FAILED', reason: 'group members unavailable' }, { status: 'SENT', offline_buffered_users: 1 }])
  t.equal(acks[0].msg_id, acks[1].msg_id)
  t.equal(exitCode, 0)
})

t.test('a connection that ends for good is an error that says what to do', async t => {
  const gateway = await startPatientGateway(t)
  const badToken = await client(gateway, [], { MICS_TOKEN: 'expired' })
  t.match(badToken, { exitCode: 1, stderr: /4001, invalid token: give a valid token with --token or MICS_TOKEN/ })
  t.match(badToken.lines, [{ type: 'closed', code: 4001, reason: 'invalid token' }])
  const unknown = await client(gateway, ['--tenant', 't9', '--token', 'valid:alice'])
  t.match(unknown, { exitCode: 1, stderr: /4002.*: is --tenant one that the gateway is configured with\?/ })
})

t.test('when time is up it says what has not come', async t => {
  const gateway = await startPatientGateway(t)
  t.match(await client(gateway, ['--user', 'alice', '--receive', '2', '--timeout', '0.5']),
    { exitCode: 1, stderr: '0.5 s are over, and 2 of 2 messages have not come\n' })
  t.match(await mics(['client', '--url', 'ws://127.0.0.1:1', '--tenant', 't1', '--user', 'alice', '--to', 'bob', '--text', 'a', '--timeout', '0.5']),
    { exitCode: 1, stderr: '0.5 s are over\n', stdout: /ECONNREFUSED/ })
})

t.test('a message whose frame is too large has FAILED, and the next goes out', async t => {
  const gateway = await startPatientGateway(t, { MAX_MESSAGE_BYTES: '1024' })
  const bob = await gateway.connect('bob')
  const { lines, exitCode } = await client(gateway,
    ['--user', 'alice', '--to', 'bob', '--text', 'x'.repeat(70_000), '--text', 'short', '--retry', '60'])
  t.match(lines, [
    { type: 'connected' },
    { type: 'error', code: 4401 },
    { type: 'ack', msg_id: /./, status: 'FAILED', reason: /too large: at most 66560 bytes/ },
    { type: 'ack', status: 'SENT' },
    { type: 'closed', code: 1000 },
  ])
  t.strictSame((await bob.waitMessages(1)).map(text), ['short'])
  t.equal(exitCode, 1)
})

t.test('a signal ends one that has sent all and listens, with exit code 0', async t => {
  const gateway = await startPatientGateway(t)
  const bob = await gateway.connect('bob')
  const { child, exitCode, printed, lines } = startClient(t, gateway, ['--user', 'alice', '--to', 'bob', '--text', 'a', '--stay'])
  await printed('"status":"SENT"')
  bob.send({ toUserId: 'alice', msgBody: body('b') })
  await printed('"msg_body_text":"b"')
  child.kill('SIGTERM')
  t.equal(await exitCode, 0)
  t.match(lines().at(-1), { type: 'closed', code: 1000 })
})

t.test('Ctrl-C after the last typed line is acked is exit code 0', async t => {
  const gateway = await startPatientGateway(t)
  const { child, exitCode, printed } = startClient(t, gateway, ['--user', 'alice', '--to', 'bob'])
  child.stdin.write('one\n')
  await printed('"status":"SENT"')
  child.kill('SIGINT')
  t.equal(await exitCode, 0)
})

t.test('Ctrl-C while a typed line has no ack, or where one FAILED, is exit code 1', async t => {
  const gateway = await startPatientGateway(t)
  const asked = new Promise<void>(resolve => gateway.hooks.raw.set('check-message', () => resolve()))
  const waiting = startClient(t, gateway, ['--user', 'alice', '--to', 'bob'])
  waiting.child.stdin.write('one\n')
  await asked
  waiting.child.kill('SIGINT')
  t.equal(await waiting.exitCode, 1)

  gateway.hooks.raw.delete('check-message')
  gateway.hooks.check = () => ({ allow: false, reason: 'not today' })
  const refused = startClient(t, gateway, ['--user', 'alice', '--to', 'bob'])
  refused.child.stdin.write('one\n')
  await refused.printed('"status":"FAILED"')
  refused.child.kill('SIGINT')
  t.equal(await refused.exitCode, 1)
})

t.test('ended before all has come it is exit code 1, by a signal or because nobody reads any more', async t => {
  const gateway = await startPatientGateway(t)
  const bob = await gateway.connect('bob')
  const stopped = startClient(t, gateway, ['--user', 'alice', '--receive', '2'])
  await stopped.printed('"type":"connected"')
  stopped.child.kill('SIGTERM')
  t.equal(await stopped.exitCode, 1)

  for (const [args, expected] of [[['--receive', '2'], 1], [[], 0]] as const) {
    const unread = startClient(t, gateway, ['--user', 'carol', ...args])
    await unread.printed('"type":"connected"')
    unread.child.stdout.destroy()
    await once(unread.child.stdout, 'close')
    bob.send({ toUserId: 'carol', msgBody: body('a') })
    t.equal(await unread.exitCode, expected, args.join(' '))
  }
})

t.test('a token or a user that is given goes before MICS_TOKEN', async t => {
  const gateway = await startPatientGateway(t)
  for (const who of [['--user', 'bob'], ['--token', 'valid:bob']]) {
    const { lines, exitCode } = await client(gateway, [...who, '--to', 'carol', '--text', 'a'], { MICS_TOKEN: 'valid:alice' })
    t.match(lines[0], { type: 'connected', user_id: 'bob' }, who.join(' '))
    t.equal(exitCode, 0)
  }
  t.match(await client(gateway, ['--user', 'bob', '--to', 'carol', '--text', 'a'], { MICS_TOKEN: '' }), { exitCode: 0 })
  t.match(await client(gateway, [], { MICS_TOKEN: '' }), { exitCode: 1, stderr: /give a token with --token or MICS_TOKEN/ })
})

t.test('a password in a URL is refused, and not printed', async t => {
  for (const url of ['ws://user:hunter2@localhost', 'ws://hunter2@localhost', 'ws://localhost,wss://u:hun,hunter2@im.example', 'http:u:hunter2@[']) {
    const { stdout, stderr, exitCode } = await mics(['client', '--tenant', 't1', '--user', 'a', '--url', url])
    t.match(stderr, /--url takes no user name and no password; give the token of a user with --token or MICS_TOKEN/, url)
    t.notMatch(stdout + stderr, 'hunter2')
    t.equal(exitCode, 1)
  }
})

t.test('what cannot be meant is refused before it connects', async t => {
  const who = ['client', '--tenant', 't1']
  const wrong: [string[], RegExp][] = [
    [who, /give a token with --token or MICS_TOKEN, or a demo's --user/],
    [[...who, '--user', 'a', '--token', SECRET], /cannot be used with option '--user/],
    [[...who, '--user', 'a', '--to', 'b', '--group', 'g'], /cannot be used with option '--group/],
    [[...who, '--user', 'a', '--text', 'b'], /--text needs --to or --group/],
    [[...who, '--user', 'a', '--to', 'b', '--msg-id', '1'], /--msg-id is for one --text/],
    [[...who, '--user', ''], /It takes a name/],
    [[...who, '--token', ''], /It takes a token/],
    [[...who, '--user', 'a', '--to', 'b', '--text', 'c', '--msg-id', ''], /It takes an id/],
    [[...who, '--user', 'a', '--to', '', '--text', 'b'], /It takes a user/],
    [[...who, '--user', 'a', '--group', ''], /It takes an id/],
    [[...who, '--user', 'a', '--device', ''], /It takes an id/],
    [['client', '--tenant', '', '--user', 'a'], /It takes an id/],
    [[...who, '--user', 'a', '--url', 'localhost'], /It takes URLs such as/],
    [[...who, '--user', 'a', '--url', 'ftp://localhost'], /It takes URLs such as/],
    [[...who, '--user', 'a', '--timeout', '0'], /It takes a number of seconds/],
    [[...who, '--user', 'a', '--receive', 'all'], /It takes a whole number from 1/],
  ]
  for (const [args, problem] of wrong) {
    const { stderr, exitCode } = await mics(args)
    t.match(stderr, problem, args.join(' '))
    t.match(stderr, '(--help shows what is possible)')
    t.equal(exitCode, 1)
  }
})
