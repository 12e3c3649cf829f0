import t, { type Test } from 'tap'
import { Crowd } from '../../bench/generator/crowd.js'
import type { Dialect } from '../../bench/generator/dialect.js'
import { micsDialect } from '../../bench/generator/mics-dialect.js'
import { socketIoDialect } from '../../bench/generator/socket-io-dialect.js'
import { steadyRate } from '../../bench/generator/steady-rate.js'
import { Talk } from '../../bench/generator/talk.js'
import { Processes } from '../../bench/processes.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { until } from '../helpers/until.js'

async function gateway (t: Test): Promise<{ dialect: Dialect, port: number }> {
  const { url } = await startPatientGateway(t)
  return { dialect: micsDialect('t1', 'd'), port: Number(new URL(url).port) }
}

async function socketIo (t: Test): Promise<{ dialect: Dialect, port: number }> {
  const processes = new Processes()
  t.teardown(() => processes.close())
  const { port } = await processes.script(0, 'bench/socket-io-server.ts')
  return { dialect: socketIoDialect, port }
}

for (const [name, start] of [['the gateway', gateway], ['Socket.IO', socketIo]] as const) {
  async function crowds (t: Test): Promise<{ from: Crowd, to: Crowd }> {
    const { dialect, port } = await start(t)
    const [from, to] = [new Crowd(), new Crowd()]
    t.teardown(() => {
      from.close()
      to.close()
    })
    await from.open(['from-0', 'from-1'], dialect, port)
    await to.open(['to-0', 'to-1'], dialect, port)
    return { from, to }
  }

  t.test(`a talk with ${name}: every message is acked and delivered, however many are in flight`, async t => {
    const { from, to } = await crowds(t)
    const talk = new Talk(from.clients, 4, index => ({ to: `to-${index}`, isGroup: false, bodyBytes: 200 }))
    await until('many messages are acked', () => from.counts.acks > 100)
    t.equal(await talk.stop(), 0, 'none is left without an ack')
    await until('all are delivered', () => to.counts.deliveries === from.counts.acks)
    t.match(from.counts, { failed: 0, deliveries: 0, lost: 0 })
  })

  t.test(`a steady rate with ${name}: each message has its latency`, async t => {
    const { from, to } = await crowds(t)
    const { latencies, unanswered } = await steadyRate(from.clients, {
      perSecond: 200, seconds: 0.5, messageOf: index => ({ to: `to-${index}`, isGroup: false, bodyBytes: 1 }),
    })
    t.equal(latencies.length, 100)
    t.equal(unanswered, 0)
    t.ok(latencies.every(latency => latency > 0))
    await until('all are delivered', () => to.counts.deliveries === 100)
  })
}
