import type { Test } from 'tap'
import { body, text } from '../helpers/client.js'
import { until } from '../helpers/until.js'
import { Load } from './load.js'
import { TestCluster } from './test-cluster.js'

/** A busy machine must not look like Redis, or nodes, that do not answer: then order does not hold. */
const PATIENT = { REDIS_TIMEOUT_MS: '5000', PEER_TIMEOUT_MS: '5000' }

/** A node is told to stop under load: all that was acked is delivered, once and in order. */
export async function stopUnderLoad (t: Test, redisUrl: string): Promise<void> {
  const cluster = await TestCluster.start(t, redisUrl, { env: PATIENT })
  const load = await Load.start(t, cluster, { users: 12, groupMembers: 12 })
  await load.progress(200)
  const [, second] = cluster.nodes
  // Where the load's clients are is up to them.
  const witness = await cluster.connect(second, 'witness')
  // Somebody who is away, and whose messages wait on any of the nodes.
  const sender = await cluster.connect(cluster.nodes[0], 'sender')
  for (let i = 0; i < 30; i++) await sender.sendAndAck({ toUserId: `away${i}`, msgBody: body(String(i)) })
  second.process.signal('SIGTERM')
  t.equal(await second.process.ended, 0)
  await load.progress(200)
  t.strictSame(await load.stop(), { missing: [], repeated: [], disordered: [] })
  t.match(await witness.closed, { code: 4200 })
  t.strictSame(load.clients.flatMap(({ ends }) => ends).filter(({ code }) => code !== 4200), [])
  const found: string[] = []
  for (let i = 0; i < 30; i++) {
    const away = await cluster.connect(cluster.nodes[2], `away${i}`)
    found.push(...(await away.waitMessages(1)).map(text))
    away.ws.terminate()
  }
  t.strictSame(found, Array.from({ length: 30 }, (_, i) => String(i)))
  t.equal(await cluster.metric('mics_offline_lost_total'), 0)
  t.notMatch(second.process.stdout, /end with this process/)
}

/** A node is killed under load: what is lost was in its buffer, and is counted. */
export async function killUnderLoad (t: Test, redisUrl: string): Promise<void> {
  const cluster = await TestCluster.start(t, redisUrl)
  const load = await Load.start(t, cluster, { users: 12, groupMembers: 12 })
  await load.progress(200)
  const sender = await cluster.connect(cluster.nodes[0], 'sender')
  const away = Array.from({ length: 30 }, (_, i) => `away${i}`)
  for (const user of away) await sender.sendAndAck({ toUserId: user, msgBody: body(user) })
  const [, second, third] = cluster.nodes
  const held = await second.metric('mics_offline_messages')
  t.ok(held > 0, 'the node is home of some of them')
  cluster.hooks.auth = ({ meta, token, deviceId }) => ({
    ok: true,
    userId: token.slice('valid:'.length),
    deviceId,
    config: { tenantMaxConnections: meta?.tenantId === 't2' ? 3 : 0 },
  })
  for (let i = 0; i < 3; i++) await cluster.connect(second, `guest${i}`, { tenantId: 't2' })
  await t.rejects(cluster.connect(third, 'guest', { tenantId: 't2' }), /4429/)
  const killedAt = performance.now()
  second.process.signal('SIGKILL')
  await second.process.ended
  await until('the remains are removed', async () => await cluster.metric('mics_offline_lost_total') > 0)
  t.equal(await cluster.metric('mics_dead_nodes_removed_total'), 1)
  const lost = await cluster.metric('mics_offline_lost_total', { tenant: 't1' })
  for (let i = 0; i < 3; i++) await cluster.connect(third, `guest${i}`, { tenantId: 't2' })
  await t.rejects(cluster.connect(third, 'guest', { tenantId: 't2' }), /4429/, 'the places of the dead are free, and no more')
  await load.progress(200)
  const { missing, repeated, disordered } = await load.stop({ lost: lost - held })
  const isKnown = (label: string): boolean => !load.isUncertain(label, [killedAt])
  t.strictSame(disordered, [])
  t.strictSame(repeated.filter(isKnown), [])
  t.ok(missing.filter(isKnown).length <= lost - held, `missing of the load: ${missing.join(' ')}`)
  let found = 0
  for (const user of away) {
    const client = await cluster.connect(third, user)
    await client.roundTrip()
    found += client.messages.length
    client.ws.terminate()
  }
  t.equal(found, away.length - held)
  await cluster.settled()
}
