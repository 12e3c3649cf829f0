import t, { type Test } from 'tap'
import { traceTable } from '../../cli/trace-rows.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { freePort, portsInARow } from '../helpers/free-port.js'
import { TRACE_TOKEN, TRACED, traceWith } from '../helpers/traces.js'
import { mics } from './run.js'

const ENV = { CLUSTER_GRPC_TOKEN: TRACE_TOKEN }

/** A gateway that has brought message m1 from alice to bob, and its NODE_PORT. */
async function delivered (t: Test): Promise<string> {
  const { server, connect } = await startPatientGateway(t, TRACED)
  const alice = await connect('alice')
  await connect('bob', { deviceId: 'phone' })
  await alice.sendAndAck({ toUserId: 'bob', msgId: 'm1', msgBody: Buffer.from('not for operators') })
  await traceWith(server.app, 'm1', 'written')
  return server.app.nodeEndpoint()
}

const ask = (node: string, ...more: string[]): string[] =>
  ['trace-message', '--tenant', 't1', '--msg', 'm1', '--node', node, ...more]

t.test('it prints what became of a message, as JSON lines or as a table', async t => {
  const node = await delivered(t)
  const json = await mics(ask(node), ENV)
  t.match(json, { stderr: '', exitCode: 0 })
  const rows = json.stdout.trim().split('\n').map(line => JSON.parse(line))
  t.match(rows[0], { node: 'node-1', stage: 'received', user_id: 'alice', to_user_id: 'bob', after_ms: 0 })
  t.match(rows.find(({ stage }) => stage === 'written'), { user_id: 'bob', device_id: 'phone' })

  const table = await mics(ask(node, '--format', 'table'), ENV)
  t.match(table, { stderr: '', exitCode: 0 })
  t.match(table.stdout, /^TIME +NODE +MS +STAGE +RESULT +USER +DEVICE +OTHER NODE +DETAIL\n/)
  t.match(table.stdout, /node-1 +[\d.]+ +received +from its sender +alice +d1 +- +to bob, 17 bytes, trace \w+\n/)
  t.match(table.stdout, /node-1 +[\d.]+ +ack +SENT/)
  t.match(table.stdout, /1 delivered, 0 by event, 0 buffered, 0 skipped/)
  for (const { stdout } of [json, table]) t.notMatch(stdout, 'operators')
})

t.test('without --node it asks the workers of this machine in turn, until one answers', async t => {
  const [first, second] = await portsInARow(2)
  const { server } = await startPatientGateway(t, { ...TRACED, NODE_PORT: String(second) })
  const here = { ...ENV, HOST: '127.0.0.1', NODE_PORT: String(first) }
  const question = ['trace-message', '--tenant', 't1', '--msg', 'm1']
  t.match(await mics(question, { ...here, WORKERS: '2' }), { stderr: /node-1 knows of no message/, exitCode: 1 })
  t.match(await mics(question, here), { stderr: `http://127.0.0.1:${first} does not answer`, exitCode: 1 })
  await server.close()
  const { stderr } = await mics(question, { ...here, WORKERS: '2' })
  t.match(stderr, `http://127.0.0.1:${first} does not answer`)
  t.notMatch(stderr, String(second), 'the first one stands for all')
})

t.test('of several tokens it presents the first', async t => {
  const node = await delivered(t)
  t.match(await mics(ask(node), { CLUSTER_GRPC_TOKEN: `${TRACE_TOKEN},old` }), { stderr: '', exitCode: 0 })
  t.match(await mics(ask(node), { CLUSTER_GRPC_TOKEN: `new,${TRACE_TOKEN}` }), { stderr: /refuses the token/, exitCode: 1 })
})

t.test('a message that nobody knows is an error that says how far back the nodes know', async t => {
  const node = await delivered(t)
  const { stdout, stderr, exitCode } = await mics([...ask(node), '--msg', 'other'], ENV)
  t.match({ stdout, exitCode }, { stdout: '', exitCode: 1 })
  t.match(stderr, /no node that answered knows a message "other" of tenant "t1"\n {2}node-1 knows of this tenant's messages since \d{4}-/)
  t.match(await mics([...ask(node), '--tenant', 't2'], ENV),
    { stderr: /node-1 knows of no message of this tenant/, exitCode: 1 })
})

t.test('what stands in the way is said without a stack trace', async t => {
  const node = await delivered(t)
  const nowhere = `http://127.0.0.1:${await freePort()}`
  const cases: Array<[string, NodeJS.ProcessEnv, RegExp]> = [
    [node, {}, /^set CLUSTER_GRPC_TOKEN/],
    [node, { CLUSTER_GRPC_TOKEN: 'another' }, /refuses the token/],
    [nowhere, ENV, /does not answer .*--node/],
  ]
  for (const [url, env, problem] of cases) {
    const { stdout, stderr, exitCode } = await mics(ask(url), env)
    t.match({ stdout, stderr, exitCode }, { stdout: '', stderr: problem, exitCode: 1 })
    t.notMatch(stderr, /^ {4}at /m)
    t.notMatch(stderr, TRACE_TOKEN)
  }
})

t.test('what a client made up as an id moves no cursor', async t => {
  const [, line] = traceTable([{ time: '', node: 'n', after_ms: 0, stage: 'ack', result: 'SENT', user_id: '\u001b[2J', detail: '\u202e' }])
  t.match(line, /\\u001b\[2J .*\\u202e/)
})
