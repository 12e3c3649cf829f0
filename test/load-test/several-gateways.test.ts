import type { AddressInfo } from 'node:net'
import t from 'tap'
import { runLoad } from '../../lib/load-test/run-load.js'
import type { MemoryNode } from '../helpers/memory-nodes.js'
import { startMemoryNodes } from '../helpers/memory-nodes.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'

const SHORT = { durationSeconds: 0.5, drainSeconds: 60, connectTimeoutSeconds: 60 }

function urlOf ({ app }: MemoryNode): string {
  return `ws://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

async function metric ({ app }: MemoryNode, name: string): Promise<number> {
  const { body } = await app.inject('/metrics')
  return body.split('\n').filter(line => line.startsWith(name)).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

t.test('over two gateways of a cluster each message comes once and in order, also to the other one', async t => {
  const nodes = await startMemoryNodes(t, ['node-1', 'node-2'])
  for (const { app } of nodes) app.hooksClient.timeoutMs = 10_000
  nodes[0].hooks.groups.set('team', ['load-16', 'load-17', 'load-18', 'load-19'])
  for (const threads of [1, 2]) {
    const result = await runLoad({
      mode: 'mixed', urls: nodes.map(urlOf), tenants: ['t1'], connections: 16, threads, rate: 100, groups: ['team'], groupSize: 4, ...SHORT,
    })
    t.strictSame(result.problems, [], `${threads} threads`)
    t.ok(result.messages.sent > 0)
    t.equal(result.messages.acked, result.messages.sent)
    t.equal(result.deliveries.received, result.deliveries.expected)
  }
  for (const node of nodes) t.ok(await metric(node, 'mics_peer_items_total{kind="deliver",result="answered"') > 0, 'messages went to the other gateway')
})

t.test('each tenant is on each gateway', async t => {
  const gateways = [await startPatientGateway(t), await startPatientGateway(t)]
  const result = await runLoad({
    mode: 'connect', urls: gateways.map(({ url }) => url.replace('http', 'ws')), tenants: ['t1', 't2'], connections: 8, ...SHORT,
  })
  t.strictSame(result.problems, [])
  for (const { hooks } of gateways) {
    const tenants = hooks.callsOf('auth').map(({ meta }) => meta.tenantId)
    t.strictSame(tenants.sort(), ['t1', 't1', 't2', 't2'])
  }
})
