// The tenant's backend by itself, beside a gateway that somebody else runs.
import { startConsumer } from './events.js'
import { buildServer } from './server.js'
import { Store } from './store.js'

const {
  HOST = '127.0.0.1', PORT = '8081', MICS_TENANT = 'acme', MICS_SECRET, ADMIN_TOKEN, KAFKA_BROKERS, SQLITE_FILE = 'hook-server.db',
} = process.env

for (const [name, value] of Object.entries({ MICS_SECRET, ADMIN_TOKEN, KAFKA_BROKERS })) {
  if (!value) {
    console.error(`${name} is not set: see "In your own project" in README.md`)
    process.exit(1)
  }
}

const RETENTION_MS = 30 * 24 * 60 * 60 * 1000

const store = new Store(SQLITE_FILE)
const app = buildServer({ store, tenantId: MICS_TENANT, secret: MICS_SECRET, adminToken: ADMIN_TOKEN })
await app.listen({ host: HOST, port: Number(PORT) })
const consumer = await startConsumer({
  brokers: KAFKA_BROKERS, tenantId: MICS_TENANT, secret: MICS_SECRET, store, log: app.log,
})
const cleaning = setInterval(() => store.deleteKeptBefore(Date.now() - RETENTION_MS), 60 * 60 * 1000)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    app.log.info('stopping')
    clearInterval(cleaning)
    // First those who use the store, then the store.
    await Promise.all([consumer.stop(), app.close()])
    store.close()
  })
}
