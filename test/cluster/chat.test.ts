import t from 'tap'
import { RedisServer } from '../helpers/redis-server.js'
import { chatSuite } from './chat-suite.js'
import { TestCluster } from './test-cluster.js'

t.test('three nodes on a single Redis', async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => await redis.close())
  await chatSuite(t, await TestCluster.start(t, redis.url))
})
