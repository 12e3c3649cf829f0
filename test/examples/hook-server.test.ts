import { join } from 'node:path'
import t, { type Test } from 'tap'
import { KafkaServer } from '../helpers/kafka-server.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { Person } from './person.js'
import { StartedExample } from './started-example.js'

const kafka = await KafkaServer.start()
t.teardown(async () => await kafka.close())

/** The tenant's backend as its own people use it. */
class Backend {
  constructor (
    private readonly url: string, readonly gatewayUrl: string, readonly example: StartedExample, private readonly tenantId = 'acme'
  ) {}

  static async start (t: Test, file: string, env: NodeJS.ProcessEnv = {}): Promise<Backend> {
    const example = StartedExample.start(t, 'hook-server', {
      PORT: '0', GATEWAY_PORT: '0', ADMIN_TOKEN: 'admin', SQLITE_FILE: file, ...env,
    })
    const gatewayUrl = await example.printed(/The gateway is (\S+)/)
    const url = await example.printed(/The backend of tenant acme is at (\S+),/)
    return new Backend(url, gatewayUrl, example)
  }

  async ask (method: string, path: string, body: object, token = 'admin'): Promise<{ status: number, body: any }> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: await response.json() }
  }

  /** Returns the token. */
  async createUser (userId: string): Promise<string> {
    const { status, body } = await this.ask('POST', '/admin/users', { userId })
    if (status !== 201) throw new Error(JSON.stringify(body))
    return body.token
  }

  async connect (t: Test, user: string, token: string): Promise<Person> {
    return await Person.connect(t, { url: this.gatewayUrl, tenantId: this.tenantId, user, token })
  }
}

function databaseFile (t: Test): string {
  return join(t.testdir(), 'hook-server.db')
}

t.test('users and groups are created by its routes, and only members write to a group', async t => {
  const backend = await Backend.start(t, databaseFile(t))
  const [annToken, benToken, cleoToken] = await Promise.all(['ann', 'ben', 'cleo'].map(name => backend.createUser(name)))
  t.match(await backend.ask('PUT', '/admin/groups/garden', { members: ['ann', 'ben'] }),
    { status: 200, body: { members: ['ann', 'ben'] } })
  const [ann, ben, cleo] = await Promise.all([
    backend.connect(t, 'ann', annToken), backend.connect(t, 'ben', benToken), backend.connect(t, 'cleo', cleoToken),
  ])
  await ann.send({ toUserId: 'cleo' }, 'hello cleo')
  await cleo.received(1)
  await ann.send({ groupId: 'garden' }, 'hello garden')
  await ben.received(1)
  t.match(ben.messages[0], { userId: 'ann', groupId: 'garden', text: 'hello garden' })
  t.equal(await cleo.refused({ groupId: 'garden' }, 'let me in'), 'only members may write to this group')
  t.equal(await ann.refused({ toUserId: 'nobody' }, 'hello?'), 'there is no such user')
  t.equal(await ann.refused({ toUserId: 'ben' }, 'x'.repeat(4001)), 'too long: 4000 bytes at most')
  t.strictSame([ben.texts, cleo.texts], [['hello garden'], ['hello cleo']])

  const refusal = await backend.connect(t, 'ann', 'wrong').catch((error: unknown) => error)
  t.match(refusal, { closeCode: 4001, closeReason: 'unknown token: sign in again' })
  t.match(await backend.ask('POST', '/admin/users', { userId: 'ann' }), { status: 409 })
  t.match(await backend.ask('POST', '/admin/users', { userId: 'a b' }), { status: 400 })
  t.match(await backend.ask('PUT', '/admin/groups/garden', { members: ['dan'] }), { status: 400, body: { error: /dan/ } })
  for (const token of ['', 'wrong', 'admi']) {
    t.match(await backend.ask('POST', '/admin/users', { userId: 'eve' }, token), { status: 401 })
  }
  await backend.example.pressCtrlC()
})

async function keepsMessages (t: Test, env: NodeJS.ProcessEnv): Promise<void> {
  const file = databaseFile(t)
  let backend = await Backend.start(t, file, env)
  const [annToken, benToken] = await Promise.all(['ann', 'ben'].map(name => backend.createUser(name)))
  await backend.ask('PUT', '/admin/groups/garden', { members: ['ann', 'ben'] })
  const ann = await backend.connect(t, 'ann', annToken)
  t.match(await ann.send({ toUserId: 'ben' }, 'for later'), { offlineNotifiedUsers: 1 })
  const texts = ['for later', ...Array.from({ length: 119 }, (_, i) => `message ${i}`)]
  // One page has 100.
  for (const text of texts.slice(1)) await ann.send({ groupId: 'garden' }, text)

  const ben = await backend.connect(t, 'ben', benToken)
  await ben.pulled(texts.length)
  t.strictSame(ben.texts, texts, 'each once, in order')
  await ben.leave()

  t.comment('after a restart they are still there, until the app has confirmed them')
  await ann.leave()
  await backend.example.terminate()
  t.notOk(backend.example.isRunning(), 'nothing is left running')
  backend = await Backend.start(t, file, env)
  const again = await backend.connect(t, 'ben', benToken)
  await again.pulled(texts.length)
  t.strictSame(again.texts, texts)
  const messages = again.messages.map(({ userId, deviceId, msgId }) => ({ userId, deviceId, msgId }))
  t.match(await backend.ask('POST', '/received', { messages: messages.slice(1) }, benToken), { body: { deleted: 119 } })
  t.match(await backend.ask('POST', '/received', { messages }, 'wrong'), { status: 401 })
  const last = await backend.connect(t, 'ben', benToken)
  await last.pulled(1)
  t.strictSame(last.texts, ['for later'])
  await backend.example.pressCtrlC()
}

t.test('messages for who is away are stored and come on connecting, by events within the process', async t => {
  await keepsMessages(t, {})
})

t.test('messages for who is away are stored and come on connecting, by events from Kafka', async t => {
  await keepsMessages(t, { KAFKA_BROKERS: kafka.brokers })
})

t.test('the backend by itself works with a gateway that somebody else runs', async t => {
  const incomplete = StartedExample.startAlone(t, 'hook-server', 'start.js', { MICS_SECRET: 'secret', ADMIN_TOKEN: 'admin' })
  await incomplete.printed(/KAFKA_BROKERS is not set/)
  t.not(await incomplete.ended(), 0)

  // As on a machine where it is started first: its topic comes with the gateway's first event.
  const tenantId = 'globex'
  const example = StartedExample.startAlone(t, 'hook-server', 'start.js', {
    MICS_TENANT: tenantId,
    MICS_SECRET: 'secret',
    ADMIN_TOKEN: 'admin',
    KAFKA_BROKERS: kafka.brokers,
    PORT: '0',
    SQLITE_FILE: databaseFile(t),
  })
  const url = await example.printed(/listening at (http:[^"]+)"/)
  const gateway = await startPatientGateway(t, {
    TENANT_AUTH_MAP: JSON.stringify({ [tenantId]: `${url}/mics` }),
    TENANT_HOOK_SECRETS: JSON.stringify({ [tenantId]: 'secret' }),
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_CREATE_TOPICS: 'true',
  })
  const backend = new Backend(url, gateway.url.replace('http', 'ws'), example, tenantId)
  const [annToken, benToken] = await Promise.all(['ann', 'ben'].map(name => backend.createUser(name)))
  const ann = await backend.connect(t, 'ann', annToken)
  t.match(await ann.send({ toUserId: 'ben' }, 'for later'), { offlineNotifiedUsers: 1 })
  const ben = await backend.connect(t, 'ben', benToken)
  await ben.pulled(1)
  t.strictSame(ben.texts, ['for later'])
  t.equal(await example.terminate(), 0)
  t.match(example.output, /stopping/)
  t.notOk(example.isRunning(), 'nothing is left running')
})
