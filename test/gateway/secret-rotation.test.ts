import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify from 'fastify'
import t from 'tap'
import app from '../../app.js'
import { loadConfig } from '../../lib/config/load-config.js'
import { verifyEvent } from '../../lib/mq/encode-event.js'
import { MemoryEventTransport } from '../../lib/mq/memory-event-transport.js'
import { AckStatus, TestClient } from '../helpers/client.js'
import { expectedSign, expectedSignatureHeader, HookServer, type HookCall } from '../helpers/hook-server.js'
import { until } from '../helpers/until.js'

const OLD = 'the-old-secret'
const NEW = 'the-new-secret'
const PAIRS = 8

/** Which secret a receiver finds that a call was signed with, by both signatures. */
function secretOf (call: HookCall): string | undefined {
  return [OLD, NEW].find(secret => call.meta.sign === expectedSign(call, secret) &&
    call.headers['x-mics-signature'] === expectedSignatureHeader(call, secret))
}

t.test('a tenant\'s secret changes under load: who accepts both refuses no call and no event, and no message is lost', async t => {
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  const content = (secret: string): string => JSON.stringify({ tenants: { t1: { authUrl: hooks.url, secret } } })
  const path = join(t.testdir({ 'tenants.json': content(OLD) }), 'tenants.json')
  const events: Uint8Array[] = []
  const eventTransport = new MemoryEventTransport()
  eventTransport.subscribe(({ value }) => events.push(value))
  const config = loadConfig({ LOG_LEVEL: 'silent', NODE_ID: 'node-1', TENANTS_FILE: path, HOOK_SIGN_REQUIRED: 'true' })
  const gateway = fastify()
  const clients: TestClient[] = []
  t.teardown(async () => {
    for (const { ws } of clients) ws.terminate()
    await gateway.close()
  })
  await gateway.register(app, { config, eventTransport, tenantsFileIntervalMs: 10 })
  const url = await gateway.listen({ host: '127.0.0.1', port: 0 })
  gateway.hooksClient.timeoutMs = 10_000
  const connect = async (user: string): Promise<TestClient> => {
    const client = await TestClient.connect(url, user)
    clients.push(client)
    return client
  }

  const ended = new AbortController()
  async function chat (n: number): Promise<{ sent: string[], received: string[] }> {
    const [sender, recipient] = [await connect(`sender${n}`), await connect(`recipient${n}`)]
    const sent: string[] = []
    while (!ended.signal.aborted) {
      const { msgId, status, reason } = await sender.sendAndAck({ toUserId: `recipient${n}` })
      if (status !== AckStatus.SENT || reason !== '') throw new Error(`${msgId} of sender${n}: ${AckStatus[status]} ${reason}`)
      sent.push(msgId)
    }
    const received = await recipient.waitMessages(sent.length)
    return { sent, received: received.map(({ msgId }) => msgId) }
  }
  const chats = Promise.all(Array.from({ length: PAIRS }, async (_, n) => await chat(n)))
  const isSigned = (secret: string): boolean => hooks.callsOf('check-message').slice(-1).some(call => secretOf(call) === secret)
  const isPublished = (secret: string): boolean => events.slice(-1).some(value => verifyEvent(secret, value))

  await until('messages and their events are signed with the old secret', () => isSigned(OLD) && isPublished(OLD))
  await writeFile(`${path}.new`, content(NEW))
  await rename(`${path}.new`, path)
  await until('messages and their events are signed with the new secret', () => isSigned(NEW) && isPublished(NEW))
  const late = await connect('late')
  ended.abort()
  for (const { sent, received } of await chats) t.strictSame(received, sent)
  await late.roundTrip()

  t.strictSame(hooks.calls.filter(call => secretOf(call) === undefined), [], 'each call is signed with one of the two')
  const [auth] = hooks.callsOf('auth').slice(-1)
  t.equal(secretOf(auth), NEW, 'and the last client was let in with the new one')
  await gateway.close()
  t.strictSame(events.filter(value => ![OLD, NEW].some(secret => verifyEvent(secret, value))), [], 'each event likewise')
  const firstNew = hooks.callsOf('check-message').findIndex(call => secretOf(call) === NEW)
  const stragglers = hooks.callsOf('check-message').slice(firstNew).filter(call => secretOf(call) === OLD)
  t.ok(stragglers.length <= PAIRS, 'after the change only what was under way carries the old one')
})
