import t, { type Test } from 'tap'
import type { MicsClientOptions } from '../../../sdk/client/src/options.js'
import type * as Wechat from '../../../sdk/client/src/wechat.js'
import { body, text } from '../../helpers/client.js'
import { readDocument } from '../../helpers/markdown.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'
import { until } from '../../helpers/until.js'
import { wsUrl } from './sdk-client.js'
import { WechatPhone } from './wechat-phone.js'

const [, imported] = /^import \{ MicsClient \} from '(.*wechat.*)'$/m.exec(readDocument('sdk/client/README.md')) as string[]

function start (t: Test, httpUrl: string, options: Partial<MicsClientOptions> = {}) {
  const phone = new WechatPhone(t)
  const { MicsClient, MicsError } = phone.require<typeof Wechat>(imported)
  const url = wsUrl(httpUrl)
  const client = new MicsClient({ url, tenantId: 't1', deviceId: 'phone', token: 'valid:王芳', random: () => 0, ...options })
  const texts: string[] = []
  client.on('message', message => texts.push(message.text))
  t.teardown(async () => await client.close())
  return { phone, client, texts, MicsError }
}

t.test('a mini program connects, sends and receives, with nothing but ECMAScript 2018, timers and wx', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client, texts } = start(t, gateway.url)
  t.match(await client.connect(), { userId: '王芳', deviceId: 'phone' })
  t.equal(phone.connects[0].url, `${wsUrl(gateway.url)}/ws?tenantId=t1&deviceId=phone`)
  const bob = await gateway.connect('bob')
  t.match(await client.send({ toUserId: 'bob', body: '你好，Bob 😀' }), { status: 'SENT' })
  const [message] = await bob.waitMessages(1)
  t.match(message, { userId: '王芳', deviceId: 'phone', msgId: /^[0-9A-Z]{26}$/ })
  t.equal(text(message), '你好，Bob 😀')
  t.match(await bob.sendAndAck({ toUserId: '王芳', msgBody: body('嗨 👋') }), { status: 0 })
  await until('the answer is there', () => texts.length === 1)
  t.strictSame(texts, ['嗨 👋'])
})

t.test('the package and its entry for mini programs are one and the same', async t => {
  const phone = new WechatPhone(t)
  t.equal(phone.require<typeof Wechat>('@mics/client').MicsClient, phone.require<typeof Wechat>('@mics/client/wechat').MicsClient)
})

t.test('bytes go through as they are, a megabyte of them too', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url)
  const bob = await gateway.connect('bob')
  await client.connect()
  const large = phone.run('Uint8Array.from({ length: 1024 * 1024 }, (_, i) => i * 31)') as Uint8Array
  await client.send({ toUserId: 'bob', body: large })
  const [{ msgBody }] = await bob.waitMessages(1)
  t.ok(Buffer.from(large).equals(msgBody))
})

t.test('after the network was gone it is connected again, and what was sent meanwhile arrives, in order', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client, texts } = start(t, gateway.url)
  const bob = await gateway.connect('bob')
  await client.connect()
  phone.drop()
  await until('the client sees it', () => client.state.name !== 'connected')
  const acks = await Promise.all(['one', 'two', 'three'].map(body => client.send({ toUserId: 'bob', body })))
  t.strictSame(acks.map(({ status }) => status), ['SENT', 'SENT', 'SENT'])
  t.strictSame((await bob.waitMessages(3)).map(text), ['one', 'two', 'three'])
  await bob.sendAndAck({ toUserId: '王芳', msgBody: body('welcome back') })
  await until('the answer is there', () => texts.length === 1)
  t.equal(phone.sockets.size, 1)
})

t.test('a mini program that is shown again connects at once, without waiting for a timer', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url)
  await client.connect()
  phone.holdsTimer = () => true
  phone.drop()
  await until('the client sees it', () => client.state.name === 'waiting')
  phone.show()
  await until('it is connected', () => client.state.name === 'connected')
})

t.test('a connection that died in the background is noticed when the mini program is shown', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url)
  await client.connect()
  const states: string[] = []
  client.on('state', ({ name }) => states.push(name))
  // Nothing comes any more, and nobody says so.
  const [dead] = phone.sockets
  dead.removeAllListeners('message').pause()
  phone.show()
  await until('it is connected again', () => states.includes('connected'))
  t.match(states, ['waiting', 'connecting', 'connected'])
})

t.test('a phone that is online again connects before its next attempt is due', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url, { random: () => 1 })
  await client.connect()
  phone.holdsTimer = ms => ms >= 1000
  phone.drop()
  await until('the client sees it', () => client.state.name === 'waiting')
  phone.changeNetwork(true)
  await until('it is connected', () => client.state.name === 'connected')
})

t.test('a domain that is not on the list is said in the state', async t => {
  const { phone, client } = start(t, 'http://127.0.0.1:9')
  phone.refusal = 'url not in domain list'
  const reasons: string[] = []
  client.on('state', state => { if (state.name === 'waiting') reasons.push(state.reason) })
  client.connect().catch(() => {})
  await until('it was tried', () => reasons.length > 1)
  t.equal(reasons[0], 'connectSocket:fail url not in domain list')
})

t.test('where all sockets of the mini program are in use it connects as soon as one is free', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url)
  const others = Array.from({ length: 5 }, (_, i) => phone.wx.connectSocket({
    url: `${wsUrl(gateway.url)}/ws?tenantId=t1&deviceId=other-${i}&token=valid:someone`,
  }))
  const connected = client.connect()
  await until('it was refused', () => client.state.name === 'waiting')
  others[0]?.close({})
  t.match(await connected, { userId: '王芳' })
})

t.test('a refused token ends it with the gateway\'s code, as a MicsError', async t => {
  const gateway = await startPatientGateway(t)
  const { client, MicsError } = start(t, gateway.url, { token: 'wrong' })
  const error = await client.connect().then(() => undefined, (error: unknown) => error)
  t.ok(error instanceof MicsError)
  t.match(error, { name: 'MicsError', code: 'MICS_CONNECTION_ENDED', closeCode: 4001, closeReason: 'invalid token' })
  t.equal(client.state.name, 'closed')
})

t.test('close leaves neither a socket nor a listener behind', async t => {
  const gateway = await startPatientGateway(t)
  const { phone, client } = start(t, gateway.url)
  await client.connect()
  t.equal(phone.listeners, 2)
  await client.close()
  t.equal(phone.listeners, 0)
  await until('the socket is closed', () => phone.sockets.size === 0)
  await until('the gateway knows', async () => await gateway.metric('mics_connections') === 0)
})
