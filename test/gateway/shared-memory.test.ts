import { once } from 'node:events'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import app from '../../app.js'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { AckStatus, body, text, TestClient } from '../helpers/client.js'
import { HookServer } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'

interface Node {
  app: FastifyInstance
  connect: (user: string, deviceId?: string) => Promise<TestClient>
}

/** Gateways that share a memory store instead of a Redis, closed when the test ends. */
async function startNodes (t: Test, ...ids: string[]): Promise<Node[]> {
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  const memoryStore = new MemoryStore()
  const nodes: Node[] = []
  for (const id of ids) nodes.push(await startNode(t, id, hooks, memoryStore))
  await until('all nodes know each other',
    () => nodes.every(({ app }) => app.nodeDirectory.members().length === nodes.length))
  return nodes
}

async function startNode (t: Test, id: string, hooks: HookServer, memoryStore: MemoryStore): Promise<Node> {
  const config = loadConfig({
    NODE_ID: id,
    HOST: '127.0.0.1',
    NODE_PORT: '0',
    CLUSTER_GRPC_TOKEN: 'a-secret-of-this-test',
    PEER_TIMEOUT_MS: '20000',
    LOG_LEVEL: 'silent',
    TENANT_AUTH_MAP: JSON.stringify({ t1: hooks.url }),
  })
  const gateway = fastify()
  const clients: TestClient[] = []
  t.teardown(async () => {
    for (const client of clients) client.ws.terminate()
    await gateway.close()
  })
  await gateway.register(app, { config, memoryStore })
  const url = await gateway.listen({ host: '127.0.0.1', port: 0 })
  gateway.hooksClient.timeoutMs = 10_000
  return {
    app: gateway,
    connect: async (user, deviceId = 'd1') => {
      const client = await TestClient.connect(url, user, { deviceId })
      clients.push(client)
      return client
    },
  }
}

t.test('apps that share a memory store are a cluster: clients of one reach those of the other', async t => {
  const [a, b] = await startNodes(t, 'a', 'b')
  const alice = await a.connect('alice')
  const bob = await b.connect('bob')
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('hi') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('hi yourself') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.same((await bob.waitMessages(1)).map(text), ['hi'])
  t.same((await alice.waitMessages(1)).map(text), ['hi yourself'])
})

t.test('a device that connects to the other app leaves the first one with 4409', async t => {
  const [a, b] = await startNodes(t, 'a', 'b')
  const alice = await a.connect('alice')
  const old = await a.connect('bob')
  const other = await a.connect('bob', 'd2')
  const fresh = await b.connect('bob')
  t.match(await old.closed, { code: 4409 })
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('to both') })
  for (const client of [fresh, other]) t.same((await client.waitMessages(1)).map(text), ['to both'])
})

t.test('what waits for somebody is delivered by whichever app they come to, in order, once', async t => {
  const [a, b, c] = await startNodes(t, 'a', 'b', 'c')
  const alice = await a.connect('alice')
  for (const words of ['one', 'two', 'three']) {
    t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body(words) }), { status: AckStatus.SENT, offlineBufferedUsers: 1 })
  }
  const bob = await b.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('live') })
  await bob.waitMessages(4)
  await bob.close()
  const again = await c.connect('bob', 'd2')
  await again.roundTrip()
  t.same([...bob.messages, ...again.messages].map(text), ['one', 'two', 'three', 'live'])
})

t.test('an app that closes is no member any more, and its store holds nothing of it', async t => {
  const [a, b] = await startNodes(t, 'a', 'b')
  const alice = await a.connect('alice')
  const { memoryStore } = b.app
  const left = once(a.app.nodeDirectory, 'left')
  t.same([...memoryStore.leases.keys()].length, 2)
  await b.app.close()
  t.match(await left, [{ nodeId: 'b' }])
  t.equal(memoryStore.leases.size, 1)
  await alice.close()
  await until('nothing is left of alice', () => memoryStore.users.size === 0)
})
