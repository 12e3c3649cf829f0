// `npm run example:hook-server`: a tenant's backend, and a gateway that asks it. Events come by Kafka where
// KAFKA_BROKERS names one, else they stay in this process.
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { openEvent, topicName } from '@mics/hook-server/events'
import { MemoryEventTransport } from '../../lib/mq/memory-event-transport.ts'
import { eventHandler, startConsumer } from '../hook-server/events.js'
import { buildServer } from '../hook-server/server.js'
import { Store } from '../hook-server/store.js'
import { startGateway } from './gateway.js'

const tenantId = 'acme'
// The same each time: what Kafka keeps is signed with it.
const secret = 'a-secret-for-trying-out'
const adminToken = process.env.ADMIN_TOKEN || randomBytes(12).toString('base64url')
const brokers = process.env.KAFKA_BROKERS ?? ''
const file = process.env.SQLITE_FILE || fileURLToPath(new URL('../hook-server/hook-server.db', import.meta.url))

const store = new Store(file)
const app = buildServer({ store, tenantId, secret, adminToken, logger: { level: 'warn' } })
const hooksUrl = await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 0) })

const env = {
  PORT: process.env.GATEWAY_PORT ?? '0',
  TENANT_AUTH_MAP: JSON.stringify({ [tenantId]: `${hooksUrl}/mics` }),
  TENANT_HOOK_SECRETS: JSON.stringify({ [tenantId]: secret }),
  HOOK_SIGN_REQUIRED: 'true',
  KAFKA_BROKERS: brokers,
  KAFKA_CREATE_TOPICS: 'true',
}
let gateway, stopEvents
if (brokers === '') {
  const eventTransport = new MemoryEventTransport()
  stopEvents = handleInProcess(eventTransport)
  gateway = await startGateway(env, { eventTransport })
} else {
  gateway = await startGateway(env)
  const consumer = await startConsumer({ brokers, tenantId, secret, store, log: app.log })
  stopEvents = () => consumer.stop()
}

/** Hands the gateway's events to the same handler, one after another. */
function handleInProcess (eventTransport) {
  const topic = topicName('im-mics-{tenant_id}-event', tenantId)
  const handle = eventHandler(store, app.log)
  let handled = Promise.resolve()
  const unsubscribe = eventTransport.subscribe(record => {
    if (record.topic !== topic) return
    handled = handled
      .then(async () => handle(await openEvent(record.value, { secrets: secret })))
      .catch(error => app.log.error(error, 'an event was not handled'))
  })
  return async () => {
    unsubscribe()
    await handled
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    // The gateway has drained and told its last events: see gateway.js. Then nobody needs the others.
    await gateway.closed
    await stopEvents()
    await app.close()
    store.close()
  })
}

const admin = `curl -s -H 'Authorization: Bearer ${adminToken}' -H 'Content-Type: application/json'`
console.log(`
  The backend of tenant ${tenantId} is at ${hooksUrl}, its store is ${file}
  The gateway is ${gateway.url.replace('http:', 'ws:')}
  Events come ${brokers === '' ? 'within this process' : `from Kafka at ${brokers}`}
  The admin token is ${adminToken}

  Create two users, and keep the tokens that are printed:

    ${admin} ${hooksUrl}/admin/users -d '{"userId":"ann"}'
    ${admin} ${hooksUrl}/admin/users -d '{"userId":"ben"}'

  Write to ben, who is away. Then connect as ben, and the message is there:

    MICS_TOKEN=<ann's> npm run mics -- client --url ${gateway.url.replace('http:', 'ws:')} --tenant ${tenantId} --to ben --text hello
    MICS_TOKEN=<ben's> npm run mics -- client --url ${gateway.url.replace('http:', 'ws:')} --tenant ${tenantId} --receive 1

  To stop it, press Ctrl-C.
`)
