import t from 'tap'
import { Load } from '../cluster/load.js'
import { TestCluster } from '../cluster/test-cluster.js'
import { withRedis } from '../helpers/redis-server.js'
import { PATIENT_NODES } from './patient-nodes.js'

const [old, next] = ['the-former-token', 'the-next-token']

/** As docs/ops/security.md has them. */
const ROLLOUTS = [`${old},${next}`, `${next},${old}`, next]

t.test('the token of the nodes is changed in three rollouts under load: no node refuses another, nothing that was acked is lost', async t => {
  const { url: redisUrl } = await withRedis(t)
  const cluster = await TestCluster.start(t, redisUrl, { env: { ...PATIENT_NODES, CLUSTER_GRPC_TOKEN: old } })
  const load = await Load.start(t, cluster, { users: 6, groupMembers: 6 })
  const refused = async (): Promise<number> => await cluster.metric('mics_node_rpc_refused_total', { reason: 'token' })

  for (const tokens of ROLLOUTS) {
    for (const node of [...cluster.running]) {
      await cluster.add({ CLUSTER_GRPC_TOKEN: tokens })
      await cluster.settled()
      await load.progress(50)
      t.equal(await refused(), 0, `no node refuses another while ${node.id} and its successor are there`)
      node.process.signal('SIGTERM')
      t.equal(await node.process.ended, 0, `${node.id} ends by itself`)
      await cluster.settled()
      await load.progress(50)
    }
    t.equal(await refused(), 0, `no node refuses another after the rollout of ${tokens}`)
  }

  t.strictSame(await load.stop(), { missing: [], repeated: [], disordered: [] }, 'all that was acked came, once and in order')
  const { clients } = load
  t.strictSame(clients.flatMap(({ refused }) => refused), [], 'no message was refused')
  t.strictSame(new Set(clients.flatMap(({ ends }) => ends.map(({ code }) => code))), new Set([4200]),
    'clients were only told that their node is shutting down')
  const logs = cluster.nodes.map(({ process: { stdout, stderr } }) => stdout + stderr)
  t.strictSame(logs.filter(log => /CLUSTER_GRPC_TOKEN must be the same/.test(log)), [], 'nor did a node that has ended')
  t.strictSame(logs.filter(log => log.includes(old) || log.includes(next)), [], 'no token is in a log')
})
