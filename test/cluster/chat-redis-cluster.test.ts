import t from 'tap'
import { startRedisCluster } from '../helpers/redis-server.js'
import { chatSuite } from './chat-suite.js'
import { TestCluster } from './test-cluster.js'

t.test('three nodes on a Redis Cluster of three masters', async t => {
  const redis = await startRedisCluster()
  t.teardown(async () => await redis.close())
  await chatSuite(t, await TestCluster.start(t, redis.url))
})
