import { createHash } from 'node:crypto'
import t from 'tap'
import * as keys from '../../lib/redis/keys.js'
import { connectLink } from '../helpers/redis-link.js'
import { withRedis } from '../helpers/redis-server.js'

const ids = [
  'a', 'A', 'a:b', 'b', ':', '%', '%3A', '{', '}', '{a}', '{}', '{a:b}', 'ü', ' ', 'mics', 'nodes', 'online',
  'x'.repeat(128), 'x'.repeat(129), ':'.repeat(128),
]

/** All keys of a user of a tenant. */
function keysOfUser (tenantId: string, userId: string): string[] {
  return [
    keys.onlineKey(tenantId, userId), keys.offlineKey(tenantId, userId),
    ...ids.flatMap(deviceId => ids.map(msgId => keys.dedupKey(tenantId, userId, deviceId, msgId))),
  ]
}

const keysOfNodes = [keys.leasesKey, keys.memberInfoKey, keys.deadMembersKey]

t.test('keys read as they are meant', async t => {
  t.equal(keys.onlineKey('acme', 'alice'), '{acme:alice}:online')
  t.equal(keys.offlineKey('acme', 'a:{b}%'), '{acme:a%3A%7Bb%7D%25}:offline')
  t.equal(keys.dedupKey('acme', 'alice', 'phone', 'm:1'), '{acme:alice}:dedup:phone:m%3A1')
  t.equal(keys.connectionsKey('acme'), '{acme}:connections')
  t.equal(keys.tokensKey('acme'), '{acme}:tokens')
  t.equal(keys.leasesKey, '{mics:nodes}:leases')
  t.equal(keys.memberInfoKey, '{mics:nodes}:info')
  t.equal(keys.deadMembersKey, '{mics:nodes}:dead')
  t.equal(keys.memberUsersKey('eu:node-1#7'), '{mics:node:eu%3Anode-1#7}:users')
})

t.test('different things have different keys', async t => {
  const all = [
    ...ids.flatMap(tenantId => ids.flatMap(userId => keysOfUser(tenantId, userId).slice(0, 30))),
    ...keysOfUser('a', 'b').slice(30),
    ...ids.flatMap(tenantId => [keys.connectionsKey(tenantId), keys.tokensKey(tenantId)]),
    ...ids.map(keys.memberUsersKey),
    ...keysOfNodes,
  ]
  t.equal(new Set(all).size, all.length)
})

t.test('a long id is not repeated, and still its own', async t => {
  const [one, other] = ['y', 'z'].map(end => keys.dedupKey('t'.repeat(128), 'u'.repeat(1e6), 'd'.repeat(256), 'm'.repeat(1e6) + end))
  t.not(one, other)
  t.ok(one.length < 600, String(one.length))
  t.equal(keys.tokensKey('x'.repeat(129)), `{%%${createHash('sha256').update('x'.repeat(129)).digest('base64url')}}:tokens`)
})

t.test('keys that one script touches are in one slot', async t => {
  const link = await connectLink(t, (await withRedis(t, { args: ['--cluster-enabled', 'yes'] })).url)
  const slots = async (list: string[]): Promise<number[]> => {
    const found = await link.run('test', async redis =>
      await Promise.all(list.map(async key => await redis.call('CLUSTER', 'KEYSLOT', key) as number)))
    return [...new Set(found)]
  }
  for (const id of ids) t.equal((await slots(keysOfUser(id, id))).length, 1, `user ${id.slice(0, 10)} of tenant ${id.slice(0, 10)}`)
  for (const id of ids) t.equal((await slots([keys.connectionsKey(id), keys.tokensKey(id)])).length, 1)
  t.equal((await slots(keysOfNodes)).length, 1)
  t.ok((await slots(ids.map(id => keys.onlineKey('acme', id)))).length > 10, 'users are spread')
})
