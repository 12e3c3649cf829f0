import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import t, { type Test } from 'tap'
import { WebSocketServer, type WebSocket } from 'ws'
import { ChatClient, type ChatClientOptions, type ClientEvent } from '../../lib/chat-client/chat-client.js'
import { AckStatus, ClientFrameSchema, ServerFrameSchema, type MessageRequest } from '../../lib/gen/mics/message/v1/message_pb.js'

/** One connection, as a gateway has it that does what a test says. */
class Accepted {
  readonly messages: MessageRequest[] = []
  heartbeats = 0
  private waiting: (() => void)[] = []

  constructor (readonly socket: WebSocket, readonly url: string) {
    socket.on('message', (data: Buffer) => {
      const { payload } = fromBinary(ClientFrameSchema, data)
      if (payload.case === 'message') this.messages.push(payload.value)
      if (payload.case === 'heartbeatPing') this.heartbeats++
      for (const wake of this.waiting.splice(0)) wake()
    })
  }

  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => this.waiting.push(resolve))
  }

  send (payload: MessageInitShape<typeof ServerFrameSchema>['payload']): void {
    this.socket.send(toBinary(ServerFrameSchema, create(ServerFrameSchema, { payload })))
  }

  letIn (): void {
    this.send({ case: 'connectAck', value: { code: 1000, userId: 'alice' } })
  }

  ack (msgId: string): void {
    this.send({ case: 'ack', value: { msgId } })
  }
}

/** A WebSocket server that a test plays the gateway with. */
class FakeGateway {
  private readonly accepted: Accepted[] = []

  private constructor (private readonly server: WebSocketServer) {
    server.on('connection', (socket, { url = '' }) => this.accepted.push(new Accepted(socket, url)))
  }

  static async start (t: Test): Promise<FakeGateway> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    t.teardown(() => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    })
    return new FakeGateway(server)
  }

  get url (): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** The next connection that nobody has asked for yet. */
  async next (): Promise<Accepted> {
    if (this.accepted.length === 0) await once(this.server, 'connection')
    return this.accepted.shift() as Accepted
  }
}

/** A client that waits for nothing between attempts, and is closed when the test ends. */
function connect (t: Test, urls: string[], more: Partial<ChatClientOptions> = {}) {
  const events: ClientEvent[] = []
  const client = new ChatClient({
    urls, tenantId: 't1', deviceId: 'd 1', token: 'kéy', heartbeatMs: 60_000, random: () => 0, onEvent: event => events.push(event), ...more,
  })
  t.teardown(() => client.close())
  return { client, events }
}

const hello = { msgId: 'm1', toUserId: 'bob', msgBody: Buffer.from('hello') }

t.test('it says who it is, and keeps the token out of the URL', async t => {
  const gateway = await FakeGateway.start(t)
  connect(t, [gateway.url])
  const { socket, url } = await gateway.next()
  t.equal(url, '/ws?tenantId=t1&deviceId=d+1')
  t.equal(socket.protocol, 'mics.v1')
})

t.test('what is sent before the connect_ack goes out after it, in order, each when the one before it is acked', async t => {
  const gateway = await FakeGateway.start(t)
  const { client } = connect(t, [gateway.url])
  const acks = ['m1', 'm2'].map(async msgId => await client.send({ ...hello, msgId }))
  const connection = await gateway.next()
  connection.letIn()
  await connection.until(() => connection.messages.length > 0)
  t.strictSame(connection.messages.map(({ msgId }) => msgId), ['m1'])
  connection.ack('m1')
  await connection.until(() => connection.messages.length > 1)
  connection.ack('m2')
  t.strictSame((await Promise.all(acks)).map(({ msgId }) => msgId), ['m1', 'm2'])
  t.strictSame(connection.messages.map(({ msgId }) => msgId), ['m1', 'm2'])
})

for (const code of [4400, 4401]) {
  t.test(`a message whose frame is answered with ${code} has failed: the next goes out, and it is never sent again`, async t => {
    const gateway = await FakeGateway.start(t)
    const { client, events } = connect(t, [gateway.url])
    const [first, second] = ['m1', 'm2'].map(async msgId => await client.send({ ...hello, msgId }))
    const one = await gateway.next()
    one.letIn()
    await one.until(() => one.messages.length > 0)
    one.send({ case: 'error', value: { code, message: 'not such a frame' } })
    t.match(await first, { msgId: 'm1', status: AckStatus.FAILED, reason: 'not such a frame' })
    await one.until(() => one.messages.length > 1)
    one.socket.close(4200)

    const two = await gateway.next()
    two.letIn()
    await two.until(() => two.messages.length > 0)
    two.ack('m2')
    t.match(await second, { msgId: 'm2', status: AckStatus.SENT })
    t.strictSame([...one.messages, ...two.messages].map(({ msgId }) => msgId), ['m1', 'm2', 'm2'])
    t.strictSame(events.map(({ type }) => type), ['connected', 'error', 'ack', 'closed', 'connected', 'ack'])
  })
}

t.test('an error that is about no frame leaves the message waiting for its ack', async t => {
  const gateway = await FakeGateway.start(t)
  const { client, events } = connect(t, [gateway.url])
  const sending = client.send(hello)
  const connection = await gateway.next()
  connection.letIn()
  await connection.until(() => connection.messages.length > 0)
  connection.send({ case: 'error', value: { code: 4499, message: 'of a later version' } })
  connection.ack('m1')
  t.match(await sending, { status: AckStatus.SENT })
  t.strictSame(events.map(({ type }) => type), ['connected', 'error', 'ack'])
})

t.test('after a drain it goes to the next gateway and sends again what had no ack, and nothing else', async t => {
  const [first, second] = [await FakeGateway.start(t), await FakeGateway.start(t)]
  const { client, events } = connect(t, [first.url, second.url])
  const one = await first.next()
  one.letIn()
  const acked = client.send(hello)
  await one.until(() => one.messages.length === 1)
  one.ack('m1')
  await acked
  const later = client.send({ ...hello, msgId: 'm2' })
  await one.until(() => one.messages.length === 2)
  one.socket.close(4200, 'draining')

  const two = await second.next()
  two.letIn()
  await two.until(() => two.messages.length === 1)
  t.match(two.messages, [{ msgId: 'm2', toUserId: 'bob' }])
  two.ack('m2')
  t.match(await later, { msgId: 'm2' })
  t.match(events.find(({ type }) => type === 'closed'), { code: 4200, reason: 'draining', retryMs: 0 })
})

t.test('a code that says that it is over ends it, and what was not acked', async t => {
  const gateway = await FakeGateway.start(t)
  const { client, events } = connect(t, [gateway.url])
  const sending = t.rejects(client.send(hello), { code: 'MICS_CONNECTION_ENDED', closeCode: 4001, message: /4001, bad token/ })
  const connection = await gateway.next()
  connection.socket.close(4001, 'bad token')
  t.match(await client.ended, { closeCode: 4001, reason: 'bad token' })
  await sending
  await t.rejects(client.send(hello), { message: /4001/ }, 'so is what is sent afterwards')
  const last = events.at(-1)
  t.match(last, { type: 'closed', code: 4001 })
  t.notOk(Object.hasOwn(last as object, 'retryMs'))
})

t.test('where nobody listens it says why and tries again', async t => {
  const gateway = await FakeGateway.start(t)
  const { events } = connect(t, ['ws://127.0.0.1:1', gateway.url])
  await gateway.next()
  t.match(events, [{ type: 'closed', code: 1006, reason: /ECONNREFUSED/, retryMs: 0 }])
})

t.test('a message that comes again is called a repeat; the same msg_id of another sender is none', async t => {
  const gateway = await FakeGateway.start(t)
  const { events } = connect(t, [gateway.url])
  const connection = await gateway.next()
  connection.letIn()
  for (const userId of ['bob', 'bob', 'carol']) {
    connection.send({ case: 'delivery', value: { message: { userId, deviceId: 'd1', msgId: 'm1' } } })
  }
  connection.send({ case: 'error', value: { code: 4400, message: 'the last' } })
  connection.socket.close(4409)
  await once(connection.socket, 'close')
  const repeats = events.flatMap(event => event.type === 'message' ? [event.isRepeat] : [])
  t.strictSame(repeats, [false, true, false])
})

t.test('it sends heartbeats, and gives up a gateway that answers none', async t => {
  const gateway = await FakeGateway.start(t)
  connect(t, [gateway.url], { heartbeatMs: 20 })
  const connection = await gateway.next()
  connection.letIn()
  await connection.until(() => connection.heartbeats > 0)
  t.not(await gateway.next(), connection, 'it has connected again')
})

t.test('a server that is no gateway is left, and what is wrong is said', async t => {
  const gateway = await FakeGateway.start(t)
  const { events } = connect(t, [gateway.url])
  const { socket } = await gateway.next()
  socket.send('hello')
  await gateway.next()
  t.match(events, [{ type: 'closed', code: 1006, reason: 'it sent what is no ServerFrame' }])
})

t.test('close leaves with 1000', async t => {
  const gateway = await FakeGateway.start(t)
  const happened = new Promise<void>(resolve => {
    const { client } = connect(t, [gateway.url], { onEvent: ({ type }) => type === 'connected' ? client.close() : resolve() })
  })
  const connection = await gateway.next()
  const closed = once(connection.socket, 'close')
  connection.letIn()
  t.equal((await closed)[0], 1000)
  await happened
})

t.test('between two attempts, close is the end at once', async t => {
  const { client } = await new Promise<ReturnType<typeof connect>>(resolve => {
    const connecting = connect(t, ['ws://127.0.0.1:1'], { random: () => 1, onEvent: () => resolve(connecting) })
  })
  client.close()
  t.equal(await client.ended, undefined)
})
