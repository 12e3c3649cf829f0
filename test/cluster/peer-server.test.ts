import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { fromBinary } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node'
import t, { type Test } from 'tap'
import { decodeItem, deliverSize, encodeDeliver } from '../../lib/cluster/item-codec.js'
import { PeerServer } from '../../lib/cluster/peer-server.js'
import { NodeService, ResultSchema, type LinkResponse, type Result } from '../../lib/gen/mics/node/v1/node_pb.js'
import { ThrottledLog } from '../../lib/log/throttled-log.js'
import { encodeMessageRequest } from '../../lib/protocol/server-frame.js'
import { aMessage } from '../helpers/message.js'
import { until } from '../helpers/until.js'
import { startLinks, startPeer, TestService, TOKEN, type TestPeer } from './link-pair.js'
import { aMember, TestDirectory } from './test-directory.js'

const LINK_PATH = '/mics.node.v1.NodeService/Link'

function deliverItem (id: number, message = encodeMessageRequest(aMessage())): Uint8Array {
  const deliver = { message, userIds: ['bob'], shared: [], seq: 1, traceparent: '' }
  return encodeDeliver(id, deliver, deliverSize(deliver))
}

/** A stream of the test's own making. */
class RawLink {
  readonly responses: LinkResponse[] = []
  readonly ended: Promise<ConnectError | undefined>
  private readonly waiting: Array<{ items: Uint8Array[], lateMs: number }> = []
  private wake = (): void => {}
  private isDone = false

  constructor (t: Test, peer: TestPeer, headers: Record<string, string> = {}) {
    const sessionManager = new Http2SessionManager(peer.member.endpoint)
    const transport = createConnectTransport({ httpVersion: '2', baseUrl: peer.member.endpoint, sessionManager })
    const stream = createClient(NodeService, transport).link(this.requests(), {
      headers: {
        authorization: `Bearer ${TOKEN}`,
        'mics-process': 'raw',
        'mics-to': peer.member.key,
        ...headers,
      },
    })
    this.ended = this.read(stream).then(() => undefined, error => ConnectError.from(error))
    t.teardown(() => {
      this.end()
      sessionManager.abort()
    })
  }

  get results (): Result[] {
    return this.responses.flatMap(({ results }) => results.map(bytes => fromBinary(ResultSchema, bytes)))
  }

  send (...items: Uint8Array[]): void {
    this.sendLate(0, ...items)
  }

  /** As if they had been under way for so long. */
  sendLate (lateMs: number, ...items: Uint8Array[]): void {
    this.waiting.push({ items, lateMs })
    this.wake()
  }

  end (): void {
    this.isDone = true
    this.wake()
  }

  private async read (stream: AsyncIterable<LinkResponse>): Promise<void> {
    for await (const response of stream) this.responses.push(response)
  }

  private async * requests (): AsyncGenerator<{ items: Uint8Array[], sentAtMs: bigint }> {
    for (;;) {
      const next = this.waiting.shift()
      if (next !== undefined) {
        const sentAtMs = BigInt(Math.round(performance.now()) + 10_000 - next.lateMs)
        yield { items: next.items, sentAtMs }
      } else if (this.isDone) return
      else await new Promise<void>(resolve => { this.wake = resolve })
    }
  }
}

t.test('without a token the server does not start', async t => {
  const server = new PeerServer({
    tokens: [],
    directory: new TestDirectory(aMember('b', '')),
    service: new TestService(),
    tracer: { answer: async () => { throw new Error('nobody asks') } },
    timeoutMs: 1000,
    maxMessageBytes: 1000,
    log: { warn () {} },
    throttledLog: new ThrottledLog(1000),
  })
  await t.rejects(server.listen('127.0.0.1', 0), /CLUSTER_GRPC_TOKEN/)
  await server.close()
})

for (const [what, authorization] of Object.entries({
  'no token': undefined,
  'another token': 'Bearer something-else',
  'the beginning of the token': `Bearer ${TOKEN.slice(0, -1)}`,
  'the token and more': `Bearer ${TOKEN}x`,
  'the token without its scheme': TOKEN,
})) {
  t.test(`${what} is refused, nothing is read and the connection ends`, async t => {
    const peer = await startPeer(t)
    const session = connect(peer.member.endpoint)
    t.teardown(() => session.destroy())
    const closed = once(session, 'close')
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: LINK_PATH,
      'content-type': 'application/connect+proto',
      'mics-process': 'raw',
      'mics-to': peer.member.key,
      ...authorization === undefined ? {} : { authorization },
    })
    stream.on('error', () => {})
    // An envelope that never ends: whoever waited for it, or parsed it, would not answer.
    stream.write(Buffer.from([0, 0, 0, 0xff, 0xff, 1, 2, 3]))
    const [headers] = await once(stream, 'response')
    t.equal(headers[constants.HTTP2_HEADER_STATUS], 401)
    await closed
    t.equal(peer.server.unauthorized, 1)
    t.same(peer.service.delivered, [])
  })
}

t.test('a stream is accepted before anything is asked on it', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  await until('it was accepted', () => link.responses.length === 1)
  t.same(link.results, [])
})

t.test('a stream for another member is refused, with the current key it is not', async t => {
  const peer = await startPeer(t)
  peer.directory.becomes(aMember('b', peer.member.endpoint, 2))
  t.equal((await new RawLink(t, peer).ended)?.code, Code.FailedPrecondition)
  const link = new RawLink(t, peer, { 'mics-to': 'b#2' })
  await until('it was accepted', () => link.responses.length === 1)
})

t.test('a stream that does not say from whom is refused', async t => {
  const peer = await startPeer(t)
  t.equal((await new RawLink(t, peer, { 'mics-process': '' }).ended)?.code, Code.InvalidArgument)
})

t.test('items of one request are answered in one response', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  link.send(...[1, 2, 3].map(id => deliverItem(id)))
  await until('they are answered', () => link.results.length === 3)
  t.same(link.responses.map(({ results }) => results.length), [0, 3])
})

t.test('what is malformed is answered as failed, as far as it can be, and spoils nothing else', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  const unknownKind = Uint8Array.from([1 << 3, 3, 9 << 3 | 2, 0])
  t.match(decodeItem(unknownKind), { id: 3, kind: 'malformed' })
  link.send(
    Buffer.from('nonsense'),
    deliverItem(2, Buffer.from('not a message')),
    unknownKind,
    deliverItem(4)
  )
  await until('they are answered', () => link.results.length === 3)
  t.match(link.results, [{ id: 2n, failed: true }, { id: 3n, failed: true }, { id: 4n, failed: false, count: 1 }])
  t.equal(peer.server.faults, 3)
  t.equal(peer.service.delivered.length, 1)
})

t.test('a request beyond the limit ends the stream, answers before it still come', async t => {
  const peer = await startPeer(t, { maxMessageBytes: 1000 })
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  link.send(deliverItem(2, Buffer.alloc(4 * 1024 * 1024)))
  t.equal((await link.ended)?.code, Code.ResourceExhausted)
  t.match(link.results, [{ id: 1n }])
  t.equal(peer.service.delivered.length, 1)
})

t.test('an item is done once, on whichever streams it comes', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  link.send(deliverItem(1), deliverItem(1))
  await until('both are answered', () => link.results.length === 2)
  const next = new RawLink(t, peer)
  next.send(deliverItem(1))
  await until('it is answered again', () => next.results.length === 1)
  t.equal(peer.service.delivered.length, 1)
  t.equal(await link.ended, undefined, 'the former stream has ended')
  const other = new RawLink(t, peer, { 'mics-process': 'other' })
  other.send(deliverItem(1))
  await until('another peer has ids of its own', () => peer.service.delivered.length === 2)
})

t.test('what a process sends again on another stream is answered again, and not done again', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  await until('it is answered', () => link.results.length === 1)
  const again = new RawLink(t, peer)
  again.send(deliverItem(1), deliverItem(2))
  await until('both are answered', () => again.results.length === 2)
  t.equal(peer.service.delivered.length, 2)
  t.equal(peer.server.repeated, 1)
})

t.test('what comes for the member that this node was is answered as failed, and not done', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  await until('the first is answered', () => link.results.length === 1)
  peer.directory.becomes(aMember('b', peer.member.endpoint, 2))
  link.send(deliverItem(2))
  await until('the second is answered', () => link.results.length === 2)
  t.strictSame(link.results.map(({ failed }) => failed), [false, true])
  t.equal(peer.service.delivered.length, 1)
  t.equal(peer.server.late, 1)
})

t.test('for the member that this node was it still answers what it has done, on a new stream too', async t => {
  const peer = await startPeer(t)
  const former = peer.member.key
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  await until('the first is answered', () => link.results.length === 1)
  peer.directory.becomes(aMember('b', peer.member.endpoint, 2))
  const again = new RawLink(t, peer, { 'mics-to': former })
  again.send(deliverItem(1), deliverItem(2))
  await until('both are answered', () => again.results.length === 2)
  t.strictSame(again.results.map(({ failed }) => failed), [false, true])
  t.equal(peer.service.delivered.length, 1)
})

t.test('a process that stood still finds out who it is before it goes on', async t => {
  const peer = await startPeer(t)
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  await until('the first is answered', () => link.results.length === 1)
  peer.directory.isStale = true
  peer.directory.onRefresh = () => {
    peer.directory.isStale = false
    peer.directory.becomes(aMember('b', peer.member.endpoint, 2))
  }
  link.send(deliverItem(2))
  await until('the second is answered', () => link.results.length === 2)
  t.equal(link.results[1].failed, true)
  t.equal(peer.service.delivered.length, 1)
})

t.test('what comes so late that its sender has given it up is not done', async t => {
  const peer = await startPeer(t, { timeoutMs: 1000 })
  const link = new RawLink(t, peer)
  link.send(deliverItem(1))
  await until('the first is answered', () => link.results.length === 1)
  link.sendLate(600, deliverItem(2))
  link.sendLate(100, deliverItem(3))
  await until('both are answered', () => link.results.length === 3)
  t.strictSame(link.results.map(({ failed }) => failed), [false, true, false])
  t.equal(peer.service.delivered.length, 2)
})

t.test('whoever says nothing for long is cut off', async t => {
  const peer = await startPeer(t, { silenceMs: 50 })
  const session = connect(peer.member.endpoint)
  session.on('error', () => {})
  await once(session, 'close')
  t.pass('the server closed it')
})

t.test('whoever only pings stays', async t => {
  const peer = await startPeer(t, { silenceMs: 500 })
  const session = connect(peer.member.endpoint)
  session.on('error', () => {})
  t.teardown(() => session.destroy())
  const end = performance.now() + 4 * 500
  while (performance.now() < end && !session.destroyed) {
    await new Promise<void>(resolve => session.ping(() => setImmediate(resolve)))
  }
  t.equal(session.destroyed, false)
})

t.test('closing, it answers what is in progress', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  let done = (): void => {}
  peer.service.onArrive = async () => await new Promise(resolve => { done = resolve })
  const arrived = links.arrive(peer.member.key, { tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 1 })
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  const closed = peer.server.close()
  done()
  t.equal(await arrived, true)
  await closed
})

t.test('closing, it waits for nobody for ever', async t => {
  const peer = await startPeer(t)
  // Keeps the process alive: timers of links do not.
  await startPeer(t, { nodeId: 'c' })
  const { links } = startLinks(t, [peer.member])
  peer.service.onArrive = async () => await new Promise(() => {})
  const arrived = links.arrive(peer.member.key, { tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 1 })
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  await peer.server.close()
  t.equal(await arrived, false)
})
