import { create } from '@bufbuild/protobuf'
import t from 'tap'
import { Code, ConnectError } from '@connectrpc/connect'
import { NodeTraceSchema, TraceMessageResponseSchema } from '../../lib/gen/mics/node/v1/node_pb.js'
import { MessageTrace } from '../../lib/message-trace/message-trace.js'
import { MessageTracer } from '../../lib/message-trace/message-tracer.js'
import { noteRecipient } from '../../lib/message-trace/note.js'
import type { askForTrace, TraceQuestion } from '../../lib/message-trace/trace-client.js'
import { aMember, TestDirectory } from '../cluster/test-directory.js'
import { aMessage } from '../helpers/message.js'

const QUESTION: TraceQuestion = { tenantId: 't1', msgId: 'm1', askMembers: true }

function setup (ask: typeof askForTrace, capacity = 10) {
  const clock = { time: 500 }
  const trace = new MessageTrace(capacity, () => clock.time)
  const directory = new TestDirectory(aMember('a', 'http://a:8081'))
  directory.add(aMember('b', 'http://b:8081'))
  directory.add(aMember('c', 'http://c:8081'))
  const tracer = new MessageTracer({ trace, directory, token: 'x', timeoutMs: 1000, now: () => 1_760_000_000_000 + clock.time, ask })
  return { trace, clock, tracer }
}

const nobody: typeof askForTrace = async () => { throw new Error('nobody is to be asked') }

t.test('all other nodes are asked, and each is asked for itself alone', async t => {
  const asked: unknown[] = []
  const { tracer } = setup(async (...question) => {
    asked.push(question)
    return create(TraceMessageResponseSchema, { nodes: [create(NodeTraceSchema, { nodeId: question[0] })] })
  })
  const { nodes } = await tracer.answer(QUESTION)
  t.same(nodes.map(({ nodeId }) => nodeId), ['a', 'http://b:8081', 'http://c:8081'])
  t.same(asked, ['b', 'c'].map(id => [`http://${id}:8081`, 'x', { ...QUESTION, askMembers: false }, 1000]))
})

t.test('a node that does not answer is in the answer, beside those that do', async t => {
  const { tracer } = setup(async endpoint => {
    if (endpoint.includes('b')) throw new ConnectError('too late', Code.DeadlineExceeded)
    return create(TraceMessageResponseSchema, { nodes: [create(NodeTraceSchema, { nodeId: 'c' })] })
  })
  const { nodes } = await tracer.answer(QUESTION)
  t.match(nodes.map(({ nodeId, problem }) => [nodeId, problem]), [['a', ''], ['b', /does not answer.*too late/], ['c', '']])
})

t.test('who is asked for itself asks nobody, and tells times as of the clock that people set', async t => {
  const { trace, clock, tracer } = setup(nobody)
  const message = aMessage()
  trace.begin(message, 'client')
  clock.time += 12.5
  noteRecipient(message, 'peer', 'no answer', 'bob', 'b#17', '', 1)
  clock.time += 100
  const { nodes: [node] } = await tracer.answer({ ...QUESTION, askMembers: false })
  t.equal(node.oldestMs, 1_760_000_000_500n)
  t.match(node.messages, [{
    origin: 'client',
    receivedMs: 1_760_000_000_500,
    steps: [{ afterMs: 12.5, stage: 'peer', result: 'no answer', userId: 'bob', nodeId: 'b', count: 1 }],
  }])
})

t.test('one id that came very often is told of its latest', async t => {
  const { trace, tracer } = setup(nobody, 1000)
  for (let i = 0; i < 150; i++) trace.begin(aMessage({ toUserId: `bob-${i}` }), 'client')
  const { nodes: [{ messages }] } = await tracer.answer({ ...QUESTION, askMembers: false })
  t.same([messages.length, messages.at(-1)?.toUserId], [100, 'bob-149'])
})

t.test('a node that traces nothing says so', async t => {
  const { tracer } = setup(nobody, 0)
  const { nodes: [{ problem }] } = await tracer.answer({ ...QUESTION, askMembers: false })
  t.match(problem, /MESSAGE_TRACE_ENTRIES is 0/)
})
