import t from 'tap'
import { parse } from 'yaml'
import { Load } from '../cluster/load.js'
import { TestCluster, type ClusterNode } from '../cluster/test-cluster.js'
import { body, text } from '../helpers/client.js'
import { readDocument } from '../helpers/markdown.js'
import { withNginx } from '../helpers/nginx-server.js'
import { withRedis } from '../helpers/redis-server.js'
import { connectPatiently } from '../process/mics-process.js'
import { Kubelet } from './kubelet.js'
import { PATIENT_NODES } from './patient-nodes.js'

/** Times of the chart are divided by this. */
const SCALE = 10

/** Milliseconds, and twice this at most, as docs/protocol.md has clients wait after 4200. */
const RETURN_MS = 500

const { probes: { readiness }, config } = parse(readDocument('helm/mics/values.yaml'))

const hostOf = ({ url }: ClusterNode): string => new URL(url).host

t.test('three gateways behind nginx are replaced one after another under load: nothing that was acked is lost', async t => {
  const { url: redisUrl } = await withRedis(t)
  const cluster = await TestCluster.start(t, redisUrl, {
    env: {
      DRAIN_DELAY_SECONDS: String(config.DRAIN_DELAY_SECONDS / SCALE),
      DRAIN_TIMEOUT_SECONDS: String(config.DRAIN_TIMEOUT_SECONDS / SCALE),
      ...PATIENT_NODES,
    },
  })
  const former = [...cluster.nodes]
  const nginx = await withNginx(t, former.map(hostOf))
  const kubelet = new Kubelet(nginx, {
    periodMs: readiness.periodSeconds * 1000 / SCALE,
    // Not shortened: the machine of the test is not faster than others.
    timeoutMs: readiness.timeoutSeconds * 1000,
    failureThreshold: readiness.failureThreshold,
  })
  t.teardown(() => kubelet.stop())
  for (const node of former) kubelet.watch(node)
  await kubelet.leadsTo(former)

  const load = await Load.start(t, cluster, {
    users: 12, groupMembers: 8, urls: () => [nginx.url], returnMs: RETURN_MS,
  })
  const sender = await connectPatiently(t, nginx.url, { token: 'valid:sender' })
  const away = Array.from({ length: 20 }, (_, i) => `away${i}`)
  for (const user of away) await sender.sendAndAck({ toUserId: user, msgBody: body(user) })
  sender.ws.terminate()
  await load.progress(200)

  const failuresOf = (): number[] => load.clients.flatMap(({ failures }) => failures.map(({ code }) => code))
  const failuresAtStart = failuresOf().length
  const startedAt = performance.now()
  for (const node of former) {
    // As maxSurge 1 and maxUnavailable 0 have it: first there is one more, and clients are led to it.
    const successor = await cluster.add()
    kubelet.watch(successor)
    await kubelet.leadsTo(cluster.running)
    await load.progress(100)
    node.process.signal('SIGTERM')
    await kubelet.leadsTo(cluster.nodes.filter(other => other !== node && other.isRunning))
    t.equal(await node.process.ended, 0, `${node.id} ends by itself`)
    kubelet.forget(node)
    await load.progress(100)
  }
  const seconds = (performance.now() - startedAt) / 1000

  const differences = await load.stop()
  t.strictSame(differences, { missing: [], repeated: [], disordered: [] }, 'all that was acked came, once and in order')
  const { clients } = load
  t.strictSame(clients.flatMap(({ refused }) => refused), [], 'nothing was refused')
  const codes = clients.flatMap(({ ends }) => ends.map(({ code }) => code))
  t.strictSame(new Set(codes), new Set([4200]), 'clients were only told that their node is shutting down')
  const places = clients.map(({ nodeId }) => nodeId)
  t.strictSame(places.filter(nodeId => former.some(({ id }) => id === nodeId)), [], 'all are at the new gateways')

  const found: string[] = []
  for (const user of away) {
    const client = await connectPatiently(t, nginx.url, { token: `valid:${user}` })
    found.push(...(await client.waitMessages(1)).map(text))
    client.ws.terminate()
  }
  t.strictSame(found, away, 'what waited for those who were away has moved on three times')
  t.equal(await cluster.metric('mics_offline_lost_total'), 0, 'no offline message was lost')
  t.notMatch(nginx.log, /valid:/, 'no token is in the log of nginx')

  const absences = clients.flatMap(({ absences }) => absences.slice(1)).map(({ from, to }) => to - from)
  const failures = failuresOf().slice(failuresAtStart)
  const delivered = clients.reduce((sum, { received }) => sum + received.length, 0)
  t.comment(`three gateways replaced in ${seconds.toFixed(1)} s: ${load.sent} messages acked, ${delivered} delivered`)
  t.comment(`${codes.length} reconnects of ${clients.length} clients, ${failures.length} attempts in vain ${failures}`)
  t.comment(`at most ${Math.max(...absences).toFixed()} ms without a connection; a client waits ${RETURN_MS} to ${2 * RETURN_MS} of them`)
})
