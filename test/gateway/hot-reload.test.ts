import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AckStatus, TestClient } from '../helpers/client.js'
import { startGateway, type TestGateway } from '../helpers/gateway.js'
import { HookServer } from '../helpers/hook-server.js'
import { PATIENT, until } from '../helpers/until.js'

interface FileGateway extends TestGateway {
  /** Puts new content in the file's place and waits until the gateway has applied or refused it. */
  change: (content: string, result?: 'applied' | 'refused') => Promise<void>
  /** A file of tenants by id and what is said of each beside its URL. */
  content: (tenants: Record<string, string>) => string
}

/** A gateway whose tenants are in a file: t1 and t2 at first. */
async function startFileGateway (t: Test): Promise<FileGateway> {
  // The file names the hook server, so that it must be there before the gateway is.
  const hooks = await HookServer.start()
  t.teardown(async () => await hooks.close())
  const content = (tenants: Record<string, string>): string => JSON.stringify({
    tenants: Object.fromEntries(Object.entries(tenants).map(([id, more]) => [id, { authUrl: `${hooks.url}/${id}`, ...JSON.parse(more || '{}') }])),
  })
  const path = join(t.testdir({ 'tenants.json': content({ t1: '', t2: '' }) }), 'tenants.json')
  const gateway = await startGateway(t, { TENANTS_FILE: path }, PATIENT)
  return {
    ...gateway,
    hooks,
    content,
    async change (content, result = 'applied') {
      const before = await gateway.metric('mics_tenants_file_reloads_total', { result })
      await writeFile(`${path}.new`, content)
      await rename(`${path}.new`, path)
      await until(`the file is ${result}`, async () => await gateway.metric('mics_tenants_file_reloads_total', { result }) > before)
    },
  }
}

t.test('a tenant that disappears: its connections are closed with 4002, new ones refused, others stay', async t => {
  const { content, change, ...gateway } = await startFileGateway(t)
  const going = [await gateway.connect('alice'), await gateway.connect('bob')]
  const staying = await gateway.connect('alice', { tenantId: 't2' })
  // Waits for carol, whose tenant will be another when she comes.
  await going[0].sendAndAck({ toUserId: 'carol' })

  await change(content({ t2: '' }))
  for (const client of going) t.match(await client.closed, { code: 4002, reason: 'the tenant was removed' })
  t.match(await TestClient.open(gateway.url, { token: 'valid:alice' }).closed, { code: 4002, reason: 'unknown tenant' })
  t.equal(await gateway.metric('mics_connections', { tenant: 't1' }), 0)
  t.equal(await gateway.metric('mics_offline_messages', { tenant: 't1' }), 0, 'its messages are gone too')
  await staying.roundTrip()

  // And back again.
  await change(content({ t1: '', t2: '' }))
  const back = await gateway.connect('carol')
  await back.roundTrip()
  t.strictSame(back.messages, [])
  await staying.roundTrip()
})

t.test('a new tenant can connect', async t => {
  const { content, change, ...gateway } = await startFileGateway(t)
  t.match(await TestClient.open(gateway.url, { tenantId: 't3' }).closed, { code: 4002 })
  await change(content({ t1: '', t2: '', t3: '' }))
  await (await gateway.connect('alice', { tenantId: 't3' })).roundTrip()
})

t.test('a broken file is refused and counted, and everything stays as it was', async t => {
  const { content, change, ...gateway } = await startFileGateway(t)
  const alice = await gateway.connect('alice')
  await change('{"tenants": {"t2": {"authUrl": "ftp://nowhere"}}}', 'refused')
  await alice.roundTrip()
  await (await gateway.connect('bob')).roundTrip()

  await change('tenants: [', 'refused')
  await alice.roundTrip()
  t.equal(await gateway.metric('mics_tenants_file_reloads_total', { result: 'applied' }), 0)

  await change(content({ t2: '' }))
  t.match(await alice.closed, { code: 4002 }, 'a file that can be used again is')
})

t.test('a changed cap takes effect on connections that are open', async t => {
  const { content, change, ...gateway } = await startFileGateway(t)
  const alice = await gateway.connect('alice')
  const send = async (): Promise<Set<string>> => {
    const acks = await Promise.all(Array.from({ length: 10 }, () => alice.sendAndAck({ toUserId: 'bob' })))
    return new Set(acks.map(({ status, reason }) => `${AckStatus[status]} ${reason}`))
  }
  t.strictSame(await send(), new Set(['SENT ']))

  await change(content({ t1: '{"caps":{"tenantMaxMessageQps":1,"userMaxConnections":1}}', t2: '' }))
  t.strictSame(await send(), new Set(['SENT ', 'FAILED tenant qps limited']))
  t.match(await TestClient.open(gateway.url, { token: 'valid:alice', deviceId: 'd2' }).closed, { code: 4429 })
  t.equal(alice.ws.readyState, alice.ws.OPEN, 'whoever is in stays in')

  await change(content({ t1: '', t2: '' }))
  t.strictSame(await send(), new Set(['SENT ']))
})

t.test('a changed auth URL and secret hold from the next connection on', async t => {
  const { content, change, ...gateway } = await startFileGateway(t)
  await gateway.connect('alice')
  t.equal(gateway.hooks.calls[0].meta.sign, '')
  const moved = await HookServer.start()
  t.teardown(async () => await moved.close())
  await change(content({ t1: JSON.stringify({ authUrl: moved.url, secret: 'new' }), t2: '' }))
  await gateway.connect('bob')
  t.equal(gateway.hooks.callsOf('auth').length, 1)
  t.equal(moved.callsOf('auth').length, 1)
  t.not(moved.calls[0].meta.sign, '')
})
