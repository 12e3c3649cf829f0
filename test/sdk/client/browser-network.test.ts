import t, { type Test } from 'tap'
import { TcpProxy } from '../../cluster/tcp-proxy.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { Tabs } from './browser-tab.js'
import { wsUrl } from './sdk-client.js'

async function startProxy (t: Test, url: string): Promise<TcpProxy> {
  const proxy = await TcpProxy.start(() => Number(new URL(url).port))
  t.teardown(async () => await proxy.close())
  return proxy
}

/** No heartbeat for an hour, and days between attempts: it is the page's events by which it finds out and connects. */
const PATIENCE = { heartbeatTimeoutMs: 3 * 3_600_000, random: 1_000_000 }

t.test('offline it finds out that the connection is dead; online again it connects at once, and sends', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 3 * 3600 }
  const tabs = await Tabs.start(t)
  const url = (): string => wsUrl(gateway.url)
  const bob = await gateway.connect('bob')
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', sendTimeoutMs: 600_000, ...PATIENCE })
  await alice.connect()
  // This Chromium leaves an open WebSocket open, and nothing goes through it any more.
  await alice.page.context().setOffline(true)
  await alice.until(() => alice.state.name === 'waiting')
  t.match(alice.state, { code: 1006, reason: 'the gateway does not answer heartbeats' })
  const answers = ['one', 'two', 'three'].map(async body => await alice.send({ toUserId: 'bob', body }))
  await alice.page.context().setOffline(false)
  await alice.until(() => alice.state.name === 'connected')
  for (const answer of answers) t.match(await answer, { status: 'SENT' })
  t.strictSame((await bob.waitMessages(3)).map(({ msgBody }) => Buffer.from(msgBody).toString()), ['one', 'two', 'three'])
})

t.test('a connection that has silently died is found out when the tab is looked at again', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 3 * 3600 }
  const proxy = await startProxy(t, gateway.url)
  const tabs = await Tabs.start(t)
  const url = (): string => `ws://127.0.0.1:${proxy.port}`
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', ...PATIENCE })
  await alice.connect()
  const lookAtIt = async (): Promise<void> => await alice.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
  proxy.cut()
  await lookAtIt()
  await alice.until(() => alice.state.name === 'waiting')
  t.match(alice.state, { code: 1006, reason: 'the gateway does not answer heartbeats' })
  proxy.heal()
  await lookAtIt()
  await alice.until(() => alice.state.name === 'connected')
})

t.test('a thousand messages, the connection dropped every fifty: none lost, none shown twice, order kept', async t => {
  const gateway = await startPatientGateway(t)
  const proxy = await startProxy(t, gateway.url)
  const tabs = await Tabs.start(t)
  const bob = await tabs.open({ url: () => wsUrl(gateway.url), token: () => 'valid:bob', deviceId: 'd1' })
  const alice = await tabs.open({
    url: () => `ws://127.0.0.1:${proxy.port}`, token: () => 'valid:alice', deviceId: 'd1', sendTimeoutMs: 600_000,
  })
  await Promise.all([alice.connect(), bob.connect()])
  const bodies = Array.from({ length: 1000 }, (_, i) => `${i}`)
  let drops = 0
  const answers = alice.page.evaluate<string[]>(`(async () => {
    let acks = 0
    client.on('ack', () => { if (++acks % 50 === 0) tell('drop') })
    const answers = await Promise.all(${JSON.stringify(bodies)}.map(body => send({ toUserId: 'bob', body })))
    return answers.map(({ status, reason, code }) => code ?? status + reason)
  })()`)
  alice.onTold('drop', () => {
    drops++
    proxy.sever()
  })
  t.strictSame((await answers).filter(answer => answer !== 'SENT' && answer !== 'SENTduplicate'), [])
  await bob.until(() => bob.messages.length >= 1000)
  t.strictSame(bob.texts, bodies)
  t.ok(drops >= 20, `${drops} drops`)
  t.ok(alice.times('connected') > 10, `${alice.times('connected')} connections`)
  const known = (await answers).filter(answer => answer === 'SENTduplicate').length
  t.comment(`the gateway knew ${known} of what was sent again, bob ${bob.repeats.length}`)
})
