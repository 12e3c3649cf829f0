import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { AckStatus, body, MessageType, text, TestClient } from '../helpers/client.js'
import { SECRET, startGateway, type TestGateway } from '../helpers/gateway.js'
import { HeldAuth } from '../helpers/held-auth.js'
import { withRedis, type RedisServer } from '../helpers/redis-server.js'
import { PATIENT, until } from '../helpers/until.js'

const CLUSTER_TOKEN = 'the-token-of-the-cluster'

/** A gateway on this Redis. A busy machine must not look like a Redis or a peer that is gone. */
async function startNode (t: Test, redis: RedisServer, id: string, env: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
  return await startGateway(t, {
    NODE_ID: id,
    NODE_PORT: '0',
    REDIS_URL: redis.url,
    CLUSTER_GRPC_TOKEN: CLUSTER_TOKEN,
    REDIS_TIMEOUT_MS: '10000',
    PEER_TIMEOUT_MS: '20000',
    ...env,
  }, PATIENT)
}

/** Two gateways that know each other. */
async function startTwo (t: Test, redis: RedisServer, env?: NodeJS.ProcessEnv): Promise<TestGateway[]> {
  const nodes = [await startNode(t, redis, 'a', env), await startNode(t, redis, 'b', env)]
  await until('both know each other', () => nodes.every(({ server }) => server.app.nodeDirectory.members().length === 2))
  return nodes
}

/** A client of our own, to look into it. */
function look (t: Test, redis: RedisServer): Redis {
  const client = new Redis(redis.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  return client
}

async function keysOf (redis: Redis): Promise<string[]> {
  const keys = new Set<string>()
  for (let cursor = '0'; ;) {
    const [next, some] = await redis.scan(cursor, 'COUNT', 1000)
    for (const key of some) keys.add(key)
    cursor = next
    if (cursor === '0') return [...keys].sort()
  }
}

/** Every key with all that it holds, as text. */
async function dump (redis: Redis): Promise<string> {
  const lines = await Promise.all((await keysOf(redis)).map(async key => `${key} ${JSON.stringify(await valueOf(redis, key))}`))
  return lines.join('\n')
}

async function valueOf (redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key)
  switch (type) {
    case 'string': return await redis.get(key)
    case 'hash': return await redis.hgetall(key)
    case 'set': return await redis.smembers(key)
    case 'zset': return await redis.zrange(key, 0, -1, 'WITHSCORES')
    case 'list': return await redis.lrange(key, 0, -1)
    // Its time was over between SCAN and now.
    case 'none': return undefined
    default: throw new Error(`${key} is a ${type}: this test must learn to read it`)
  }
}

/** How often each command ran, in scripts too. */
async function commandCounts (redis: Redis): Promise<Map<string, number>> {
  const stats = await redis.info('commandstats')
  return new Map([...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)].map(([, command, calls]) => [command, Number(calls)]))
}

t.test('a node told to admit nobody without Redis refuses new clients; those it has go on, and others come in once it is back', async t => {
  const server = await withRedis(t)
  const gateway = await startNode(t, server, 'a', { ADMIT_WITHOUT_REDIS: 'false' })
  const redis = look(t, server)
  const alice = await gateway.connect('alice')
  const bob = await gateway.connect('bob')
  await server.kill()
  await until('the node has noticed', async () => await gateway.metric('mics_redis_up') === 0)

  const refused = TestClient.open(gateway.url, { token: 'valid:carol' })
  t.match(await refused.closed, { code: 4503, reason: /^cannot register now/ })
  t.same(refused.frames, [])
  t.match(await alice.sendAndAck({ toUserId: 'bob', msgBody: body('are you there?') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.match(await bob.sendAndAck({ toUserId: 'alice', msgBody: body('yes') }), { status: AckStatus.SENT, offlineBufferedUsers: 0 })
  t.same((await bob.waitMessages(1)).map(text), ['are you there?'])
  t.same((await alice.waitMessages(1)).map(text), ['yes'])

  await server.restart()
  await until('the node has noticed', async () => await gateway.metric('mics_redis_up') === 1)
  const carol = await gateway.connect('carol')
  await alice.sendAndAck({ toUserId: 'carol', msgBody: body('welcome') })
  t.same((await carol.waitMessages(1)).map(text), ['welcome'])
  await until('those who stayed are known to the empty Redis', async () => {
    const keys = await keysOf(redis)
    return ['alice', 'bob', 'carol'].every(user => keys.includes(`{t1:${user}}:online`))
  })
  t.equal(await gateway.metric('mics_unregistered_connections_total'), 0)
})

for (const { store, elsewhere, received, isInRedis } of [
  { store: 'redis', elsewhere: 'duplicate', received: 1, isInRedis: true },
  { store: 'memory', elsewhere: '', received: 2, isInRedis: false },
]) {
  const what = store === 'redis' ? 'nor through another node' : 'but is through another node, and nothing of it is in Redis'
  t.test(`with DEDUP_STORE=${store} a repeat is not delivered again through the same node, ${what}`, async t => {
    const server = await withRedis(t)
    // The default is not given: that is part of the test.
    const [a, b] = await startTwo(t, server, store === 'redis' ? {} : { DEDUP_STORE: store })
    const bob = await b.connect('bob')
    const message = { msgId: 'm', toUserId: 'bob', msgBody: body('once?') }
    const before = await a.connect('alice')
    t.match(await before.sendAndAck(message), { status: AckStatus.SENT, reason: '' })
    t.match(await before.sendAndAck(message), { status: AckStatus.SENT, reason: 'duplicate' })
    await before.drop()
    const after = await b.connect('alice')
    t.match(await after.sendAndAck(message), { status: AckStatus.SENT, reason: elsewhere })
    t.match(await after.sendAndAck(message), { status: AckStatus.SENT, reason: 'duplicate' })
    await bob.roundTrip()
    t.equal(bob.messages.length, received)
    const keys = await keysOf(look(t, server))
    t.ok(keys.includes('{t1:bob}:online'), 'the rest is in Redis')
    t.equal(keys.some(key => key.includes(':dedup:')), isInRedis)
  })
}

t.test('heartbeats cost Redis nothing', async t => {
  const server = await withRedis(t)
  const gateway = await startNode(t, server, 'a', { NODE_LEASE_SECONDS: '60' })
  const redis = look(t, server)
  const alice = await gateway.connect('alice')
  const before = await commandCounts(redis)
  const heartbeats = 500
  for (let i = 0; i < heartbeats; i++) await alice.roundTrip()
  const after = await commandCounts(redis)
  t.equal(alice.frames.filter(({ payload }) => payload.case === 'heartbeatPong').length, heartbeats)
  // What there is goes by the second: the lease is renewed, and Redis asked whether it is there, once in each. So a
  // command for each heartbeat, or for every fourth one, shows, unless five hundred of them take two minutes.
  const frequent = [...after].map(([command, calls]) => [command, calls - (before.get(command) ?? 0)] as const)
    .filter(([, calls]) => calls >= heartbeats / 4)
  t.same(frequent, [])
  t.ok(before.get('evalsha') ?? before.get('eval'), 'the counts are those of this Redis')
})

t.test('no message, token or secret is ever in Redis', async t => {
  const server = await withRedis(t)
  const [a, b] = await startTwo(t, server)
  const redis = look(t, server)
  // All that is sent to it, what lives only for a moment included.
  const monitor = await redis.monitor()
  t.teardown(() => monitor.disconnect())
  const sent: string[] = []
  monitor.on('monitor', (_time: string, args: string[]) => sent.push(args.join(' ')))
  for (const { hooks } of [a, b]) {
    hooks.config = { tenantSecret: 'runtime-secret', tenantMaxMessageQps: 1000, tenantMaxConnections: 100, userMaxConnections: 10 }
    hooks.groups.set('g', ['alice', 'bob', 'carol'])
  }
  const alice = await a.connect('alice')
  const bob = await b.connect('bob')
  await alice.sendAndAck({ toUserId: 'bob', msgBody: body('body-live') })
  await alice.sendAndAck({ toUserId: 'zoe', msgBody: body('body-offline') })
  await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g', msgBody: body('body-group') })
  t.same((await bob.waitMessages(2)).map(text), ['body-live', 'body-group'])
  await until('the cluster knows what waits for whom', async () => {
    const keys = await keysOf(redis)
    return ['zoe', 'carol'].every(user => keys.includes(`{t1:${user}}:offline`))
  })

  const held = await dump(redis)
  for (const part of ['{t1:alice}:online', '{t1}:connections', ':dedup:', ':users']) {
    t.ok(held.includes(part), `there is something under ${part}`)
  }
  await until('the monitor has seen all of it', () =>
    ['{t1:carol}:offline', '{t1}:tokens'].every(key => sent.some(line => line.includes(key))))
  for (const [where, text] of [['what Redis holds', held], ['what Redis was sent', sent.join('\n')]]) {
    for (const secret of ['body-', 'valid:', SECRET, 'runtime-secret', CLUSTER_TOKEN]) {
      t.notOk(text.includes(secret), `${where} has no ${secret}`)
    }
  }
})

t.test('a client that goes while it is being let in leaves nothing in Redis', async t => {
  const server = await withRedis(t)
  const gateway = await startNode(t, server, 'a')
  const redis = look(t, server)
  const { onlineRoutes, websocketServer, handshakeGate } = gateway.server.app
  const ofClients = async (): Promise<string[]> =>
    (await keysOf(redis)).filter(key => /:(?:online|connections|users)$/.test(key))

  const register = onlineRoutes.register.bind(onlineRoutes)
  const registered: string[] = []
  let letGo = (): void => {}
  onlineRoutes.register = async (tenantId, userId, ...rest) => {
    const registration = await register(tenantId, userId, ...rest)
    registered.push(userId)
    if (userId === 'bob') await new Promise<void>(resolve => { letGo = resolve })
    return registration
  }
  const held = new HeldAuth(gateway, token => token === 'valid:carol')
  const alice = await gateway.connect('alice')

  const carol = TestClient.open(gateway.url, { token: 'valid:carol' })
  await held.answered('valid:carol')
  await carol.drop()
  await until('the gateway has noticed', () => websocketServer.clients.size === 1)
  await held.release('valid:carol')
  await until('the handshake is over', () => handshakeGate.inProgress === 0)

  const bob = TestClient.open(gateway.url, { token: 'valid:bob' })
  await until('bob is registered, and not let in yet', () => registered.includes('bob'))
  t.ok((await ofClients()).includes('{t1:bob}:online'))
  await bob.drop()
  await until('the gateway has noticed', () => websocketServer.clients.size === 1)
  letGo()
  await until('bob is registered no more', async () => !(await ofClients()).includes('{t1:bob}:online'))
  t.same(registered, ['alice', 'bob'], 'who was gone before was never registered')

  const keys = await ofClients()
  for (const key of ['{t1:alice}:online', '{t1}:connections']) t.ok(keys.includes(key), `${key} is there while alice is`)
  await until('the tenant has one connection', async () => (await redis.hvals('{t1}:connections')).join() === '1')
  await alice.close()
  await until('nothing is left of anybody', async () => (await ofClients()).length === 0)
})
