import t from 'tap'
import { LatelyReceived } from '../../lib/cluster/lately-received.js'
import { LocalPeerService } from '../../lib/cluster/local-peer-service.js'
import type { Arrival } from '../../lib/cluster/peers.js'
import { Connections } from '../../lib/connections/connections.js'
import { MessageTrace } from '../../lib/message-trace/message-trace.js'
import { TenantMetrics } from '../../lib/metrics/tenant-metrics.js'
import type { OfflineLimits } from '../../lib/offline/offline-buffer.js'
import { RecentArrivals } from '../../lib/presence/recent-arrivals.js'
import { Delivery } from '../../lib/routing/delivery.js'
import { aMessage } from '../helpers/message.js'
import { FakeSession } from '../connections/fake-session.js'
import { entry, setup as setupBuffer } from '../offline/buffer.js'
import { aMember, TestDirectory } from './test-directory.js'

/** A device that notes what it gets. */
class Device extends FakeSession {
  readonly metrics = new TenantMetrics()
  readonly got: Array<{ msgId: string, isShared: boolean }> = []
  wakes = 0

  deliver ({ message: { msgId } }: Delivery, isShared: boolean): void {
    this.got.push({ msgId, isShared })
  }

  wake (): void {
    this.wakes++
  }
}

function setup ({ settleMs = 10_000, ...limits }: Partial<OfflineLimits> & { settleMs?: number } = {}) {
  const connections = new Connections()
  const { buffer, takeAll } = setupBuffer(limits)
  const arrivals = new RecentArrivals(60_000)
  const lately = new LatelyReceived(60_000)
  /** What is on its way to where a user is. */
  const settling = new Map<string, Promise<void>>()
  const moving = new Set<string>()
  const settled: string[] = []
  const arrived: Array<[string, Arrival]> = []
  const directory = new TestDirectory(aMember('node-1', 'http://node-1:8081'))
  directory.add(directory.self)
  const peer = directory.add(aMember('node-2', 'http://node-2:8081'))
  const drain = (): void => { directory.self = directory.add({ ...directory.self, isDraining: true }) }
  const service = new LocalPeerService({
    connections,
    buffer,
    index: {
      settle: (_tenantId, userId) => {
        settled.push(userId)
        return settling.get(userId)
      },
    },
    handovers: { isMoving: (_tenantId, userId) => moving.has(userId) },
    directory,
    presence: { arrived: async (memberKey, arrival) => { arrived.push([memberKey, arrival]) } },
    arrivals,
    lately,
    trace: new MessageTrace(0),
    settleMs,
  })
  const connect = (userId: string, deviceId = 'd1', tenantId = 't1'): Device => {
    const device = new Device(tenantId, userId, deviceId)
    connections.add(device.asSession)
    return device
  }
  return { service, connect, takeAll, arrivals, lately, settling, settled, moving, arrived, directory, peer, drain }
}

const NOBODY: ReadonlySet<string> = new Set()

function aDelivery (fields: Parameters<typeof aMessage>[0] = {}): Delivery {
  return new Delivery(aMessage(fields), 1)
}

t.test('a message goes to the devices that are here, and who has none is missing', async t => {
  const { service, connect } = setup()
  const [phone, laptop, other] = [connect('bob', 'd1'), connect('bob', 'd2'), connect('carol')]
  const stranger = connect('dave', 'd1', 't2')
  const answer = service.deliver(aDelivery(), ['bob', 'carol', 'dave'], new Set(['carol']))
  t.strictSame(answer, { missing: ['dave'], moved: [], devices: 3, settled: undefined })
  for (const device of [phone, laptop, other]) t.strictSame(device.got, [{ msgId: 'm1', isShared: true }])
  t.strictSame(stranger.got, [], 'another tenant has users of the same names')
})

t.test('a device that is the only one knows it', async t => {
  const { service, connect } = setup()
  const bob = connect('bob')
  service.deliver(aDelivery(), ['bob'], NOBODY)
  t.strictSame(bob.got, [{ msgId: 'm1', isShared: false }])
})

t.test('who has lately connected elsewhere too is moved, and got it all the same', async t => {
  const { service, connect, arrivals } = setup()
  const bob = connect('bob')
  connect('carol')
  arrivals.add('t1', 'bob')
  arrivals.add('t1', 'dave')
  const { moved, missing } = service.deliver(aDelivery(), ['bob', 'carol', 'dave'], NOBODY)
  t.strictSame(moved, ['bob'])
  t.strictSame(missing, ['dave'])
  t.equal(bob.got.length, 1)
})

t.test("the sender's own device does not get what came from it, its other devices do", async t => {
  const { service, connect } = setup()
  const [own, other] = [connect('alice', 'd1'), connect('alice', 'd2')]
  const { devices, missing } = service.deliver(aDelivery(), ['alice'], NOBODY)
  t.equal(devices, 1)
  t.strictSame(missing, [])
  t.strictSame(own.got, [])
  t.equal(other.got.length, 1)
})

t.test('with the device it came from alone here, the sender is missing', async t => {
  const { service, connect } = setup()
  connect('alice', 'd1')
  t.strictSame(service.deliver(aDelivery(), ['alice'], NOBODY).missing, ['alice'])
})

t.test('the answer waits for what is on its way to those who are missing', async t => {
  const { service, connect, settling } = setup()
  connect('carol')
  let end = (): void => {}
  settling.set('bob', new Promise(resolve => { end = resolve }))
  let isSettled = false
  const { settled } = service.deliver(aDelivery(), ['bob', 'carol'], NOBODY)
  const waiting = settled?.then(() => { isSettled = true })
  t.ok(waiting)
  await new Promise(setImmediate)
  t.equal(isSettled, false)
  end()
  await waiting
})

t.test('the answer does not wait for what never ends', async t => {
  const { service, settling } = setup({ settleMs: 5 })
  settling.set('bob', new Promise(() => {}))
  const { settled } = service.deliver(aDelivery(), ['bob'], NOBODY)
  t.ok(settled)
  await settled
})

t.test('what is on its way to those who are here holds up nobody', async t => {
  const { service, connect, settling } = setup()
  connect('bob')
  settling.set('bob', new Promise(() => {}))
  t.equal(service.deliver(aDelivery(), ['bob'], NOBODY).settled, undefined)
})

t.test('entries are held once, however often they come', async t => {
  const { service, takeAll, lately } = setup()
  const now = 1_000_000
  t.equal(await service.hold([entry({ seq: 1 }, now), entry({ seq: 2 }, now)], false), 2)
  t.strictSame(takeAll(), [1, 2])
  t.equal(await service.hold([entry({ seq: 1 }, now), entry({ seq: 3 }, now)], false), 2, 'what is here counts as taken')
  t.strictSame(takeAll(), [3])
  t.equal(lately.repeated, 1)
})

t.test('what was delivered here is not held for those who got it', async t => {
  const { service, connect, takeAll } = setup()
  connect('bob')
  service.deliver(aDelivery({ msgId: 'm1' }), ['bob', 'carol'], NOBODY)
  t.equal(await service.hold([entry({ seq: 1 }, 1_000_000), entry({ seq: 1, userId: 'carol' }, 1_000_000)], false), 2)
  t.strictSame(takeAll('t1', 'bob'), [])
  t.strictSame(takeAll('t1', 'carol'), [1])
})

t.test('entries are taken from the first on, up to one that finds no room; that one may come again', async t => {
  const { service, takeAll, lately } = setup({ maxBytesPerUser: 100 })
  const now = 1_000_000
  const entries = [entry({ seq: 1 }, now), entry({ seq: 2, bytes: 101 }, now), entry({ seq: 3 }, now)]
  t.equal(await service.hold(entries, false), 1)
  t.strictSame(takeAll(), [1])
  t.equal(await service.hold([entry({ seq: 2 }, now), entry({ seq: 3 }, now)], false), 2)
  t.strictSame(takeAll(), [2, 3])
  t.equal(lately.repeated, 0)
})

t.test('what is held for somebody who is here wakes their devices, and nobody else', async t => {
  const { service, connect } = setup()
  const [phone, laptop, other, stranger] =
    [connect('bob', 'd1'), connect('bob', 'd2'), connect('carol'), connect('bob', 'd1', 't2')]
  await service.hold([entry({ seq: 1 }, 1_000_000)], false)
  for (const device of [phone, laptop]) t.ok(device.wakes > 0)
  for (const device of [other, stranger]) t.equal(device.wakes, 0)
})

t.test('holding ends when the entries are where their user is', async t => {
  const { service, settling, settled, moving } = setup()
  let end = (): void => {}
  settling.set('carol', new Promise(resolve => { end = resolve }))
  moving.add('carol')
  let isHeld = false
  const held = service.hold([entry({ seq: 1 }, 1_000_000), entry({ seq: 2, userId: 'carol' }, 1_000_000)], false)
    .finally(() => { isHeld = true })
  await new Promise(setImmediate)
  t.equal(isHeld, false)
  end()
  t.equal(await held, 2)
  t.strictSame(settled, ['bob', 'carol'])
})

t.test('what a peer hands over does not wait for what moves already', async t => {
  const { service, settling, settled, moving } = setup()
  let end = (): void => {}
  settling.set('bob', new Promise(resolve => { end = resolve }))
  settling.set('carol', new Promise(() => {}))
  moving.add('carol')
  let isHeld = false
  const held = service.hold([entry({ seq: 1 }, 1_000_000), entry({ seq: 2, userId: 'carol' }, 1_000_000)], true)
    .finally(() => { isHeld = true })
  await new Promise(setImmediate)
  t.equal(isHeld, false)
  end()
  t.equal(await held, 2)
  t.strictSame(settled, ['bob'])
})

t.test('a node that drains holds nothing for who is not here', async t => {
  const { service, connect, takeAll, drain } = setup()
  drain()
  connect('bob')
  const now = 1_000_000
  t.equal(await service.hold([entry({ seq: 1 }, now), entry({ seq: 2, userId: 'carol' }, now)], false), undefined)
  t.equal(service.refused, 1)
  t.strictSame(takeAll('t1', 'carol'), [])
  t.strictSame(takeAll('t1', 'bob'), [], 'all of them stay together')
  t.equal(await service.hold([entry({ seq: 1 }, now)], false), 1, 'who is here gets it')
  t.strictSame(takeAll('t1', 'bob'), [1])
  t.equal(service.refused, 1)
})

t.test('where all nodes drain they hold what there is', async t => {
  const { service, takeAll, directory, peer, drain } = setup()
  drain()
  directory.add({ ...peer, isDraining: true })
  t.equal(await service.hold([entry({ seq: 1 }, 1_000_000)], false), 1)
  t.strictSame(takeAll(), [1])
})

t.test('an arrival is passed on', async t => {
  const { service, arrived } = setup()
  const arrival = { tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 7 }
  await service.arrive('node-2#1', arrival)
  t.strictSame(arrived, [['node-2#1', arrival]])
})
