import { randomBytes } from 'node:crypto'
import t from 'tap'
import { text } from '../../helpers/client.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { Tabs } from './browser-tab.js'
import { wsUrl } from './sdk-client.js'

/*
 * The bundle for browsers in Chromium, in pages of another origin than the gateway's.
 */

t.test('two pages chat, where no more is allowed than the README says', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.groups.set('g1', ['alice', 'bob'])
  const url = (): string => wsUrl(gateway.url)
  const tabs = await Tabs.start(t)
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1' })
  const bob = await tabs.open({ url, token: () => 'valid:bob', deviceId: 'd1' })
  const second = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd2' })
  for (const tab of [alice, bob, second]) await tab.connect()
  t.match(alice.state, { name: 'connected', userId: 'alice', deviceId: 'd1', nodeId: 'node-1' })

  t.match(await alice.send({ toUserId: 'bob', body: 'hé llo 你好 😀' }), { status: 'SENT', reason: '' })
  t.match(await bob.send({ groupId: 'g1', body: 'to all of us' }), { status: 'SENT' })
  await alice.until(() => alice.messages.length === 1)
  await second.until(() => second.messages.length === 2)
  t.strictSame(bob.messages, [{ userId: 'alice', text: 'hé llo 你好 😀', isOwn: false }])
  t.strictSame(alice.messages, [{ userId: 'bob', text: 'to all of us', isOwn: false }])
  t.strictSame(second.messages, [
    { userId: 'alice', text: 'hé llo 你好 😀', isOwn: true }, { userId: 'bob', text: 'to all of us', isOwn: false },
  ])

  gateway.hooks.check = () => ({ allow: false, reason: 'not today' })
  t.match(await alice.send({ toUserId: 'bob', body: 'x' }), { code: 'MICS_MESSAGE_FAILED', ack: { reason: 'not today' } })
  for (const tab of [alice, bob, second]) t.strictSame([tab.errors, tab.complaints], [[], []])
})

t.test('what one page encrypts the other reads, and neither the gateway nor a page without the key', async t => {
  const gateway = await startPatientGateway(t)
  const { check } = gateway.hooks
  const seen: string[] = []
  gateway.hooks.check = request => {
    if (request.message !== undefined) seen.push(text(request.message))
    return check(request)
  }
  const url = (): string => wsUrl(gateway.url)
  const tabs = await Tabs.start(t)
  const key = [...randomBytes(32)]
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', key })
  const bob = await tabs.open({ url, token: () => 'valid:bob', deviceId: 'd1', key })
  const stranger = await tabs.open({ url, token: () => 'valid:bob', deviceId: 'd2', key: [...randomBytes(32)] })
  for (const tab of [alice, bob, stranger]) await tab.connect()
  const sent = ['for your eyes', 'and yours only']
  for (const body of sent) t.match(await alice.send({ toUserId: 'bob', body }), { status: 'SENT' })
  await bob.until(() => bob.messages.length === 2)
  t.strictSame(bob.texts, sent)
  await stranger.until(() => stranger.errors.length === 2)
  t.match(stranger.errors, [{ code: 'MICS_ENCRYPTION_FAILED', message: /cannot be decrypted/ }, { code: 'MICS_ENCRYPTION_FAILED' }])
  t.strictSame(stranger.texts, [])
  t.equal(seen.length, 2)
  t.notMatch(seen.join(), /your/)
})

t.test('a page that forbids the worker keeps its connection alive without, and the browser complains once', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 3 }
  const tabs = await Tabs.start(t, {
    policy: "default-src 'none'; script-src 'self'; img-src data:; connect-src ws://127.0.0.1:*",
  })
  const url = (): string => wsUrl(gateway.url)
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', heartbeatTimeoutMs: 3000 })
  await alice.connect()
  const beats = (): number => alice.frames.filter(direction => direction === 'out').length
  // Longer than the gateway's patience.
  await alice.until(() => beats() === 5)
  await alice.reconnect()
  await alice.until(() => alice.times('connected') === 2)
  await alice.until(() => beats() === 10)
  t.equal(alice.times('waiting'), 0)
  t.equal(alice.complaints.length, 1)
  t.match(alice.complaints[0], /worker/i)
})

t.test('a page that allows only workers of its own site gives the client one', async t => {
  const gateway = await startPatientGateway(t)
  gateway.hooks.config = { heartbeatTimeoutSeconds: 3 }
  const tabs = await Tabs.start(t, {
    policy: "default-src 'none'; script-src 'self'; img-src data:; worker-src 'self'; connect-src ws://127.0.0.1:*",
  })
  const url = (): string => wsUrl(gateway.url)
  const alice = await tabs.open({ url, token: () => 'valid:alice', deviceId: 'd1', heartbeatTimeoutMs: 3000, ownTimer: true })
  await alice.connect()
  await alice.until(() => alice.frames.filter(direction => direction === 'out').length === 5 || alice.times('waiting') > 0)
  t.equal(alice.times('waiting'), 0)
  t.equal(alice.page.workers().length, 1)
  t.strictSame(alice.complaints, [])
})
