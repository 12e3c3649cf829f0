import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { MAX_BATCH_BYTES } from '../../lib/cluster/node-rpc-limits.js'
import type { PeerLinks } from '../../lib/cluster/peer-links.js'
import type { Arrival } from '../../lib/cluster/peers.js'
import type { Member } from '../../lib/node-directory/node-directory.js'
import type { OfflineEntry } from '../../lib/offline/offline-entry.js'
import { until } from '../helpers/until.js'
import { aDelivery, NOBODY, startLinks, startPeer, type TestPeer } from './link-pair.js'
import { startScripted } from './scripted-peer.js'
import { TcpProxy } from './tcp-proxy.js'
import { aMember } from './test-directory.js'

const UNREACHABLE = { kind: 'unreachable' }
const ARRIVAL: Arrival = { tenantId: 't1', userId: 'bob', deviceId: 'd1', order: 2 ** 40 }

/** How calls ended, those of which there were any. */
function ended (links: PeerLinks, kind: keyof PeerLinks['calls'] = 'deliver'): Record<string, number> {
  return Object.fromEntries([...links.calls[kind].entries()].filter(([, count]) => count > 0))
}

function anEntry (fields: Partial<OfflineEntry> = {}): OfflineEntry {
  return {
    tenantId: 't1', userId: 'bob', delivery: aDelivery(), expiresAt: Date.now() + 60_000, deviceId: '', anyDeviceInstead: false, ...fields,
  }
}

/** The peer behind a proxy that can fail. */
async function behindProxy (t: Test, peer: TestPeer): Promise<{ proxy: TcpProxy, member: Member }> {
  const proxy = await TcpProxy.start(() => peer.port)
  t.teardown(async () => await proxy.close())
  return { proxy, member: { ...peer.member, endpoint: `http://127.0.0.1:${proxy.port}` } }
}

/** A member that accepts connections and never says a word. */
async function startSilent (t: Test): Promise<{ member: Member, connections: () => number }> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const member = aMember('silent', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return { member, connections: () => connections }
}

t.test('a message reaches the peer as it is, with who gets it and who gets it elsewhere too', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const delivery = aDelivery({ msgBody: Buffer.from('to all'), timestampMs: 1_760_000_000_123n })
  const forwarded = await links.deliver(peer.member.key, delivery, ['bob', 'carol', 'dave'], new Set(['carol', 'zoe']))
  t.same(forwarded, { kind: 'answered', missing: [], moved: [], devices: 3 })
  const [got] = peer.service.delivered
  t.same(got.delivery.message, delivery.message)
  t.equal(got.delivery.seq, delivery.seq)
  t.same(got.userIds, ['bob', 'carol', 'dave'])
  t.same([...got.shared], ['carol'])
})

t.test('the answer names who was missing and who has moved', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  peer.service.onDeliver = () => ({ missing: ['carol', 'alice'], moved: ['bob'], devices: 4 })
  t.same(await links.deliver(peer.member.key, aDelivery(), ['alice', 'bob', 'carol', 'dave'], NOBODY),
    { kind: 'answered', missing: ['carol', 'alice'], moved: ['bob'], devices: 4 })
  t.same(ended(links), { answered: 1 })
  t.equal(links.queueBytes.get('b'), 0)
})

t.test('a message that is forgotten by its sender while it waits arrives all the same', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const delivery = aDelivery({ msgBody: Buffer.from('kept') })
  const forwarded = links.deliver(peer.member.key, delivery, ['bob'], NOBODY)
  delivery.forgetFrame()
  await forwarded
  t.equal(Buffer.from(peer.service.delivered[0].delivery.message.msgBody).toString(), 'kept')
})

t.test('held messages come into the peer\'s buffer as they were', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const expiresAt = Date.now() + 60_000
  const entries = [
    anEntry({ expiresAt }),
    anEntry({ deviceId: 'd7', anyDeviceInstead: true, exceptDeviceId: 'd1', delivery: aDelivery({ msgId: 'm2', toUserId: 'zoe' }) }),
  ]
  const ways: boolean[] = []
  peer.service.onHold = async ({ length }, isHandover) => ways.push(isHandover) && length
  t.equal(await links.hold(peer.member.key, entries, false), 2)
  const { held } = peer.service
  for (const [i, entry] of entries.entries()) {
    const { delivery, expiresAt: ends, ...fields } = entry
    t.match(held[i], fields)
    t.same(held[i].delivery.message, delivery.message)
    t.equal(held[i].delivery.seq, delivery.seq)
  }
  t.equal(held[0].exceptDeviceId, undefined)
  t.ok(held[0].expiresAt >= expiresAt && held[0].expiresAt < expiresAt + 30_000, 'no earlier, and later by the way only')
  t.equal(await links.hold(peer.member.key, entries, true), 2)
  t.same(ways, [false, true])
})

t.test('many held messages go in parts, in order, until the peer takes no more', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const entries = Array.from({ length: 20 }, (_, i) => anEntry({
    delivery: aDelivery({ msgId: `m${i}`, msgBody: Buffer.alloc(50_000) }),
  }))
  const parts: number[] = []
  peer.service.onHold = async part => parts.push(part.length) < 4 ? part.length : 1
  t.equal(await links.hold(peer.member.key, entries, true), parts[0] + parts[1] + parts[2] + 1)
  t.equal(parts.length, 4)
  const sent = parts.reduce((sum, part) => sum + part)
  t.same(peer.service.held.map(({ delivery }) => delivery.message.msgId), Array.from({ length: sent }, (_, i) => `m${i}`))
})

t.test('an arrival is answered when the peer is done with it, and holds up nothing meanwhile', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  let done = (): void => {}
  peer.service.onArrive = async () => await new Promise(resolve => { done = resolve })
  let isAnswered = false
  const arrived = links.arrive(peer.member.key, ARRIVAL).finally(() => { isAnswered = true })
  await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY)
  t.same(peer.service.arrivals, [{ memberKey: 'a#1', arrival: ARRIVAL }])
  t.equal(isAnswered, false)
  done()
  t.equal(await arrived, true)
})

t.test('a peer that takes nothing to hold is as one that cannot be reached', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  peer.service.onHold = async () => undefined
  t.equal(await links.hold(peer.member.key, [anEntry()], false), undefined)
  t.equal(peer.server.faults, 0)
})

t.test('what the peer fails to do reached nobody, and the stream goes on', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const broken = (): never => { throw new Error('broken') }
  const { onDeliver } = peer.service
  peer.service.onDeliver = peer.service.onHold = peer.service.onArrive = broken
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob', 'carol'], NOBODY), UNREACHABLE)
  t.equal(await links.hold(peer.member.key, [anEntry()], false), undefined)
  t.equal(await links.arrive(peer.member.key, ARRIVAL), false)
  peer.service.onDeliver = onDeliver
  t.match(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), { kind: 'answered', missing: [] })
  t.equal(peer.server.faults, 3)
})

t.test('who is no member, or this node itself, is unreachable at once', async t => {
  const { links, directory } = startLinks(t, [])
  directory.add(directory.self)
  t.same(await links.deliver('b#1', aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.same(await links.deliver('a#1', aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.equal(await links.hold('b#1', [anEntry()], false), undefined)
  t.equal(await links.arrive('b#1', ARRIVAL), false)
})

t.test('a member that has left is unreachable; what it was asked before, it may still answer', async t => {
  const peer = await startPeer(t)
  const { links, directory } = startLinks(t, [peer.member])
  let answer = (): void => {}
  peer.service.onArrive = async () => await new Promise(resolve => { answer = resolve })
  const arrived = links.arrive(peer.member.key, ARRIVAL)
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  directory.remove(peer.member)
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  answer()
  t.equal(await arrived, true)
  t.same([...links.queueBytes], [], 'nothing is kept of it')
})

t.test('a peer with another token is unreachable, and the log says what to do', async t => {
  const peer = await startPeer(t, { tokens: ['another'] })
  const { links, logged } = startLinks(t, [peer.member])
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.same(ended(links), { refused: 2 })
  t.equal(peer.server.unauthorized, 1, 'it is not asked again for each')
  t.match(logged, [{ message: /CLUSTER_GRPC_TOKEN must be the same on all nodes/ }])
  t.same(peer.service.delivered, [])
})

t.test('the token is changed in three rollouts, and in none of them do nodes refuse each other', async t => {
  const steps = [['old'], ['old', 'new'], ['new', 'old'], ['new']]
  for (const [i, before] of steps.slice(0, -1).entries()) {
    const after = steps[i + 1]
    for (const [presenting, accepting] of [[before, after], [after, before]]) {
      const peer = await startPeer(t, { tokens: accepting })
      const { links } = startLinks(t, [peer.member], { token: presenting[0] })
      t.match(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), { kind: 'answered' },
        `${presenting.join()} to ${accepting.join()}`)
      t.equal(peer.server.unauthorized, 0)
    }
  }
  const peer = await startPeer(t, { tokens: ['old'] })
  const { links } = startLinks(t, [peer.member], { token: 'new' })
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE, 'in one rollout they would')
})

t.test('a peer that is another member by now is unreachable, and the directory is said to be old', async t => {
  const peer = await startPeer(t, { incarnation: 2 })
  const former = aMember('b', peer.member.endpoint, 1)
  const { links } = startLinks(t, [former, peer.member])
  const disowned = once(links, 'disowned')
  t.same(await links.deliver(former.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.same(await disowned, [former])
  t.equal(peer.server.misdirected, 1)
  t.match(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), { kind: 'answered' })
  t.equal(peer.service.delivered.length, 1)
})

t.test('a peer that accepts connections and never answers costs a few timeouts, then nothing, and nobody else anything', async t => {
  const silent = await startSilent(t)
  const peer = await startPeer(t)
  const { links, logged } = startLinks(t, [silent.member, peer.member], { timeoutMs: 200, breakerFailureThreshold: 2 })
  const waiting = [1, 2, 3].map(() => links.deliver(silent.member.key, aDelivery(), ['bob'], NOBODY))
  // While these wait, the other one answers in its own time; a busy machine may take longer than theirs.
  await until('the other peer has answered', async () => {
    return (await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY)).kind === 'answered'
  })
  for (const forwarded of await Promise.all(waiting)) t.same(forwarded, UNREACHABLE)
  await until('the breaker is open', async () => {
    await links.deliver(silent.member.key, aDelivery(), ['bob'], NOBODY)
    return links.breakerStates.get('silent') === 1
  })
  const before = silent.connections()
  const timeouts = ended(links).timeout
  for (let i = 0; i < 100; i++) await links.deliver(silent.member.key, aDelivery(), ['bob'], NOBODY)
  t.equal(silent.connections(), before)
  t.equal(ended(links).timeout, timeouts)
  t.ok(ended(links).breaker_open >= 100)
  t.equal(links.breakerStates.get('b'), 0)
  t.ok(logged.some(({ fields }) => (fields as { breaker?: string }).breaker === 'open'))
})

t.test('a half-open breaker lets one call through; its answer closes it', async t => {
  const peer = await startPeer(t)
  // Keeps the process alive: timers of links do not.
  await startPeer(t, { nodeId: 'c' })
  await peer.server.close()
  const { links } = startLinks(t, [peer.member], { breakerFailureThreshold: 2, breakerOpenMs: 50 })
  const stateIs = (state: number) => (): boolean => links.breakerStates.get('b') === state
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.equal(links.breakerStates.get('b'), 1)
  await until('it is half-open', stateIs(2))
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  await until('it is half-open again', stateIs(2))
  const revived = await startPeer(t, { port: peer.port })
  const trial = links.deliver(peer.member.key, aDelivery({ msgId: 'trial' }), ['bob'], NOBODY)
  t.same(await links.deliver(peer.member.key, aDelivery({ msgId: 'beside' }), ['bob'], NOBODY), UNREACHABLE)
  t.match(await trial, { kind: 'answered' })
  await until('it is closed', stateIs(0))
  t.same(revived.service.msgIds, ['trial'])
})

t.test('a connection that dies without a word is found dead, and what was under way arrives once it heals', async t => {
  const peer = await startPeer(t)
  const { proxy, member } = await behindProxy(t, peer)
  const { links, logged } = startLinks(t, [member])
  await links.deliver(member.key, aDelivery({ msgId: 'before' }), ['bob'], NOBODY)
  proxy.cut()
  const during = links.deliver(member.key, aDelivery({ msgId: 'during' }), ['bob'], NOBODY)
  await until('the ping was missed', () => logged.some(({ fields }) => /PING/.test((fields as { reason?: string }).reason ?? '')))
  proxy.heal()
  t.match(await during, { kind: 'answered' })
  t.same(peer.service.msgIds, ['before', 'during'], 'once, although the old connection may have brought it as well')
})

t.test('a message whose answer is lost with the stream is sent again and not delivered again', async t => {
  const peer = await startPeer(t)
  const { proxy, member } = await behindProxy(t, peer)
  const { links } = startLinks(t, [member])
  await links.deliver(member.key, aDelivery({ msgId: 'before' }), ['bob'], NOBODY)
  peer.service.onDeliver = () => {
    proxy.sever()
    return { missing: ['bob'], moved: [], devices: 1 }
  }
  t.same(await links.deliver(member.key, aDelivery({ msgId: 'during' }), ['bob', 'carol'], NOBODY),
    { kind: 'answered', missing: ['bob'], moved: [], devices: 1 })
  t.same(peer.service.msgIds, ['before', 'during'])
  t.equal(peer.server.repeated, 1)
})

t.test('an arrival under way when the stream breaks is done once and answered on the next', async t => {
  const peer = await startPeer(t)
  const { proxy, member } = await behindProxy(t, peer)
  const { links } = startLinks(t, [member])
  let done = (): void => {}
  peer.service.onArrive = async () => await new Promise(resolve => { done = resolve })
  const arrived = links.arrive(member.key, ARRIVAL)
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  proxy.sever()
  await until('it came again', () => peer.server.repeated === 1)
  done()
  t.equal(await arrived, true)
  t.equal(peer.service.arrivals.length, 1)
})

t.test('each tenant\'s messages arrive once and in order, however often the stream breaks', async t => {
  const peer = await startPeer(t)
  const { proxy, member } = await behindProxy(t, peer)
  const { links } = startLinks(t, [member], { breakerFailureThreshold: 100 })
  let left = 6
  peer.service.onDeliver = (_delivery, userIds) => {
    if (peer.service.delivered.length % 40 === 0 && left-- > 0) proxy.sever()
    return { missing: [], moved: [], devices: userIds.length }
  }
  const sent: Array<Promise<{ kind: string }>> = []
  for (let i = 0; i < 300; i++) {
    const delivery = aDelivery({ tenantId: `t${i % 3}`, msgId: `m${i}`, msgBody: Buffer.alloc(2000) })
    sent.push(links.deliver(member.key, delivery, ['bob'], NOBODY))
    if (i % 25 === 0) await sent[Math.max(0, i - 40)]
  }
  t.ok((await Promise.all(sent)).every(({ kind }) => kind === 'answered'))
  for (const tenant of ['t0', 't1', 't2']) {
    const seqs = peer.service.delivered.map(({ delivery }) => delivery)
      .filter(({ message }) => message.tenantId === tenant).map(({ seq }) => seq)
    t.equal(seqs.length, 100)
    t.same(seqs, seqs.toSorted((a, b) => a - b))
  }
})

t.test('a message that breaks the stream each time it comes is given up, and others go through after it', async t => {
  const peer = await startScripted(t, msgId => msgId === 'fatal')
  const { links } = startLinks(t, [peer.member])
  const { key } = peer.member
  t.same(await links.deliver(key, aDelivery({ msgId: 'fatal' }), ['bob'], NOBODY), UNREACHABLE)
  t.same(ended(links), { broken: 1 })
  const sent = peer.requests.map(({ msgIds }) => msgIds)
  t.same(sent, [['fatal'], ['fatal'], ['fatal']], 'tried again twice, on a fresh stream each time')
  t.match(await links.deliver(key, aDelivery({ tenantId: 't2', msgId: 'after' }), ['bob'], NOBODY), { kind: 'answered', devices: 1 })
  t.same(ended(links), { broken: 1, answered: 1 })
  t.same(peer.requests.slice(3).map(({ msgIds }) => msgIds), [['after']])
  t.same([...links.queueBytes.values()], [0])
})

t.test('what breaks the stream does so for what goes with it, and no longer than it is tried', async t => {
  const peer = await startScripted(t, msgId => msgId === 'fatal')
  const { links } = startLinks(t, [peer.member])
  const { key } = peer.member
  const fatal = links.deliver(key, aDelivery({ msgId: 'fatal' }), ['bob'], NOBODY)
  const beside = links.deliver(key, aDelivery({ tenantId: 't2', msgId: 'beside' }), ['bob'], NOBODY)
  t.same(await fatal, UNREACHABLE)
  // Nobody can tell which of them it was. Its caller hears of it, and finds another way.
  t.same(await beside, UNREACHABLE)
  t.equal(peer.requests.length, 3)
  const after = [1, 2].map(i => links.deliver(key, aDelivery({ tenantId: 't2', msgId: `after${i}` }), ['bob'], NOBODY))
  for (const forwarded of await Promise.all(after)) t.match(forwarded, { kind: 'answered' })
})

t.test('what is sent in one turn of the event loop arrives as one request', async t => {
  const peer = await startScripted(t)
  const { links } = startLinks(t, [peer.member])
  // The first finds no stream, the second one that stands.
  for (const round of [1, 2]) {
    const msgIds = Array.from({ length: 100 }, (_, i) => `${round}-${i}`)
    const calls = msgIds.map(msgId => links.deliver(peer.member.key, aDelivery({ msgId }), ['bob'], NOBODY))
    for (const { kind } of await Promise.all(calls)) t.equal(kind, 'answered')
    t.equal(peer.requests.length, round)
    t.same(peer.requests[round - 1].msgIds, msgIds)
  }
})

t.test('what is too much for one request arrives as few, none beyond its bound', async t => {
  const peer = await startScripted(t)
  const { links } = startLinks(t, [peer.member])
  await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY)
  const calls = Array.from({ length: 100 }, (_, i) =>
    links.deliver(peer.member.key, aDelivery({ msgId: `m${i}`, msgBody: Buffer.alloc(6000) }), ['bob'], NOBODY))
  for (const { kind } of await Promise.all(calls)) t.equal(kind, 'answered')
  const requests = peer.requests.slice(1)
  t.same(requests.flatMap(({ msgIds }) => msgIds), Array.from({ length: 100 }, (_, i) => `m${i}`))
  t.equal(requests.length, Math.ceil(100 * 6000 / MAX_BATCH_BYTES))
  t.ok(requests.every(({ bytes }) => bytes <= MAX_BATCH_BYTES))
})

t.test('beyond its share of the queue a tenant is refused at once, others are not', async t => {
  const silent = await startSilent(t)
  const { links } = startLinks(t, [silent.member], { queueMaxBytes: 100_000 })
  const results: string[] = []
  const send = (tenantId: string): void => {
    links.deliver(silent.member.key, aDelivery({ tenantId, msgBody: Buffer.alloc(9_000) }), ['bob'], NOBODY)
      .then(() => results.push(tenantId), () => t.fail('no call rejects'))
  }
  for (let i = 0; i < 50; i++) send('loud')
  await until('the flood has filled its half', () => results.length === 45)
  t.same(ended(links), { queue_full: 45 })
  send('quiet')
  await new Promise(setImmediate)
  t.same(results.filter(tenant => tenant === 'quiet'), [], 'it waits, as it should')
  t.ok(links.queueBytes.get('silent') as number <= 100_000)
})

t.test('a message that the peer cannot take fails alone', async t => {
  const peer = await startPeer(t, { maxMessageBytes: 1000 })
  const { links } = startLinks(t, [peer.member])
  const large = Buffer.alloc(2 * 1024 * 1024)
  const [tooLarge, other] = await Promise.all([
    links.deliver(peer.member.key, aDelivery({ msgId: 'large', msgBody: large }), ['bob'], NOBODY),
    links.deliver(peer.member.key, aDelivery({ msgId: 'small' }), ['bob'], NOBODY),
  ])
  t.same(tooLarge, UNREACHABLE)
  t.match(other, { kind: 'answered' })
  t.same(ended(links), { too_large: 1, answered: 1 })
  const beyondOurs = Buffer.alloc(4 * 1024 * 1024)
  t.same(await links.deliver(peer.member.key, aDelivery({ msgBody: beyondOurs }), ['bob'], NOBODY), UNREACHABLE)
  t.same(peer.service.msgIds, ['small'])
})

t.test('messages as large as they get arrive, between small ones of other tenants', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const calls = [0, 1, 2].flatMap(i => [
    links.deliver(peer.member.key, aDelivery({ tenantId: 'large', msgId: `large${i}`, msgBody: Buffer.alloc(1024 * 1024, i) }), ['bob'], NOBODY),
    links.deliver(peer.member.key, aDelivery({ tenantId: 'small', msgId: `small${i}` }), ['bob'], NOBODY),
  ])
  for (const { kind } of await Promise.all(calls)) t.equal(kind, 'answered')
  const { delivered, msgIds } = peer.service
  t.same(msgIds.filter(id => id.startsWith('large')), ['large0', 'large1', 'large2'])
  t.ok(delivered.filter(({ delivery }) => delivery.message.tenantId === 'large')
    .every(({ delivery }, i) => Buffer.alloc(1024 * 1024, i).equals(delivery.message.msgBody)))
})

t.test('a node that has become another member says so with its next arrivals, and is not cut off', async t => {
  const peer = await startPeer(t)
  const { links, directory } = startLinks(t, [peer.member])
  let answer = (): void => {}
  peer.service.onArrive = async () => await new Promise(resolve => { answer = resolve })
  const before = links.arrive(peer.member.key, ARRIVAL)
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  directory.becomes(aMember('a', 'http://127.0.0.1:1', 2))
  answer()
  t.equal(await before, true)
  peer.service.onArrive = async () => {}
  t.equal(await links.arrive(peer.member.key, ARRIVAL), true)
  t.same(peer.service.arrivals.map(({ memberKey }) => memberKey), ['a#1', 'a#2'])
})

t.test('closing lets what is under way end, and refuses what comes', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  const pending = links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY)
  const closed = links.close()
  t.same(await links.deliver(peer.member.key, aDelivery(), ['bob'], NOBODY), UNREACHABLE)
  t.match(await pending, { kind: 'answered' })
  await closed
})

t.test('closing waits for nobody beyond its deadline', async t => {
  const peer = await startPeer(t)
  const { links } = startLinks(t, [peer.member])
  peer.service.onArrive = async () => await new Promise(() => {})
  const arrived = links.arrive(peer.member.key, ARRIVAL)
  await until('the peer has it', () => peer.service.arrivals.length > 0)
  await links.close(AbortSignal.abort())
  t.equal(await arrived, false)
})
