import t from 'tap'
import { freePort } from '../helpers/redis-server.js'
import { MicsProcess } from './mics-process.js'

t.test('start with a Redis that cannot be reached exits 1, and says where it looked in one line', async t => {
  const port = await freePort()
  const mics = MicsProcess.start(t, ['start'], {
    TENANT_AUTH_MAP: 't1=http://127.0.0.1:1',
    REDIS_URL: `redis://mics:hunter2@127.0.0.1:${port}`,
    CLUSTER_GRPC_TOKEN: 'token',
  })
  t.equal(await mics.ended, 1)
  t.match(mics.stderr, new RegExp(`^REDIS_URL: .* at 127\\.0\\.0\\.1:${port}: connect ECONNREFUSED .*; check .*\\n$`))
  t.notMatch(mics.stdout + mics.stderr, 'hunter2')
})
