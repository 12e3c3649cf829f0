import { EventEmitter, once } from 'node:events'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t, { type Test } from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import configPlugin from '../../plugins/config.js'
import tenantsPlugin from '../../plugins/tenants.js'

/** Writes as a careful operator does: a look in between finds the old content or the new one. */
async function put (path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

interface Logged { level: number, msg: string, err?: { message: string } }

function content (...ids: string[]): string {
  return `tenants: {${ids.map(id => `${id}: { authUrl: "http://${id}" }`).join(', ')}}\n`
}

/** A Fastify with the plugin and nothing else, and what it logged and counted. Not ready yet. */
function gateway (t: Test, env: NodeJS.ProcessEnv) {
  const logged = new EventEmitter()
  const counted: string[] = []
  const stream = new Writable({
    write (chunk, _encoding, done) {
      const line: Logged = JSON.parse(chunk.toString())
      logged.emit(line.msg, line)
      done()
    },
  })
  const app: FastifyInstance = Fastify({ logger: { level: 'info', stream } })
  t.teardown(() => app.close())
  const config = loadConfig(env)
  app.register(configPlugin, { config })
  app.register(fp(async app => {
    const tenantsFileReloads = { add: (result: string) => counted.push(result) }
    app.decorate('gatewayMetrics', { tenantsFileReloads } as never)
  }, { name: 'metrics' }))
  app.register(tenantsPlugin, { config, tenantsFileIntervalMs: 5 })
  return {
    app,
    counted,
    /** The next log line with this message. Ask before doing what causes it. */
    log: async (msg: string): Promise<Logged> => (await once(logged, msg))[0],
  }
}

const noTenants = 'the tenants file lists no tenant: every client gets 4002 until it does'
const applied = 'tenants file applied'
const refused = 'tenants file refused, the previous tenants stay in force'

t.test('tenants of the environment are in force', async t => {
  const { app } = gateway(t, { TENANT_AUTH_MAP: '{"acme":"http://acme"}' })
  await app.listen({ port: 0 })
  t.strictSame(app.tenants.ids(), ['acme'])
  t.equal(app.config.tenants.length, 1)
})

t.test('a changed file is followed', async t => {
  const path = join(t.testdir({ 'tenants.yaml': content('a', 'b') }), 'tenants.yaml')
  const { app, counted, log } = gateway(t, { TENANTS_FILE: path })
  await app.listen({ port: 0 })
  t.strictSame(app.tenants.ids(), ['a', 'b'])

  const events: string[] = []
  for (const event of ['added', 'changed', 'removed'] as const) app.tenants.on(event, id => events.push(`${event} ${id}`))
  const line = log(applied)
  await put(path, 'tenants: { b: { authUrl: "http://b", secret: "hunter2" }, c: { authUrl: "http://c" } }')
  t.match(await line, { level: 30, added: 1, changed: 1, removed: 1 })
  t.strictSame(app.tenants.ids(), ['b', 'c'])
  t.strictSame(events, ['removed a', 'changed b', 'added c'])
  t.strictSame(counted, ['applied'])
})

t.test('a broken file is refused, and a good one after it applied', async t => {
  const path = join(t.testdir({ 'tenants.yaml': content('a') }), 'tenants.yaml')
  const { app, counted, log } = gateway(t, { TENANTS_FILE: path })
  await app.listen({ port: 0 })
  const before = app.tenants.get('a')
  app.tenants.on('removed', () => t.fail('removed'))

  const broken = log(refused)
  await put(path, 'tenants: { a: { secret: "hunter2" } }')
  const line = await broken
  t.match(line, { level: 50, err: { message: /tenants\.a\.authUrl: is missing/ } })
  t.notMatch(JSON.stringify(line), 'hunter2')
  t.equal(app.tenants.get('a'), before)

  const gone = log(refused)
  await rm(path)
  t.match(await gone, { err: { message: /does not exist/ } })
  t.equal(app.tenants.get('a'), before)

  const good = log(applied)
  await put(path, content('a', 'b'))
  t.match(await good, { added: 1, changed: 0, removed: 0 })
  t.equal(app.tenants.get('a'), before)
  t.strictSame(counted, ['refused', 'refused', 'applied'])
})

t.test('a file of no tenants is taken and warned of, at boot and whenever it becomes one', async t => {
  const path = join(t.testdir({ 'tenants.yaml': 'tenants: {}' }), 'tenants.yaml')
  const { app, log } = gateway(t, { TENANTS_FILE: path })
  const warned: string[] = []
  const atBoot = log(noTenants).then(({ level }) => warned.push(`${level} at boot`))
  await app.listen({ port: 0 })
  await atBoot

  const filled = log(applied)
  const again = log(noTenants).then(({ level }) => warned.push(`${level} again, of ${app.tenants.size}`))
  await put(path, content('a'))
  await filled
  t.strictSame(warned, ['40 at boot'], 'not while there is one')
  await put(path, 'tenants: {}')
  await again
  t.strictSame(warned, ['40 at boot', '40 again, of 0'])
})

t.test('the links that Kubernetes swaps are followed', async t => {
  const mount = t.testdir({})
  /** What the kubelet does to update a mounted ConfigMap. */
  async function publish (name: string, text: string): Promise<void> {
    await mkdir(join(mount, name))
    await writeFile(join(mount, name, 'tenants.yaml'), text)
    await symlink(name, join(mount, '..data_tmp'))
    await rename(join(mount, '..data_tmp'), join(mount, '..data'))
  }
  await publish('..2026_01_01_00_00_00.1', content('a'))
  await symlink(join('..data', 'tenants.yaml'), join(mount, 'tenants.yaml'))

  const { app, log } = gateway(t, { TENANTS_FILE: join(mount, 'tenants.yaml') })
  await app.listen({ port: 0 })
  t.strictSame(app.tenants.ids(), ['a'])

  const first = log(applied)
  await publish('..2026_01_01_00_01_00.2', content('b'))
  await rm(join(mount, '..2026_01_01_00_00_00.1'), { recursive: true })
  await first
  t.strictSame(app.tenants.ids(), ['b'])

  const second = log(applied)
  await publish('..2026_01_01_00_02_00.3', content('b', 'c'))
  await second
  t.strictSame(app.tenants.ids(), ['b', 'c'])
})

t.test('a broken file at boot fails the start and says what is wrong', async t => {
  const path = join(t.testdir({ 'tenants.yaml': 'tenants: { a: {} }' }), 'tenants.yaml')
  await t.rejects(Promise.resolve(gateway(t, { TENANTS_FILE: path }).app.ready()), { name: 'TenantsFileError', message: `${path}: tenants.a.authUrl: is missing` })
  const missing = join(t.testdirName, 'missing.yaml')
  await t.rejects(Promise.resolve(gateway(t, { TENANTS_FILE: missing }).app.ready()), { name: 'TenantsFileError', message: /does not exist/ })
})

t.test('tenants given beside the file, as the demo\'s, outlive its changes', async t => {
  const path = join(t.testdir({ 'tenants.yaml': content('a') }), 'tenants.yaml')
  const app = Fastify({ logger: false })
  t.teardown(() => app.close())
  const config = { ...loadConfig({ TENANTS_FILE: path }), tenants: [{ id: 'demo', authUrl: 'http://demo', secret: '' }] }
  app.register(configPlugin, { config })
  app.register(fp(async app => { app.decorate('gatewayMetrics', { tenantsFileReloads: { add: () => {} } } as never) }, { name: 'metrics' }))
  app.register(tenantsPlugin, { config, tenantsFileIntervalMs: 5 })
  await app.listen({ port: 0 })
  t.strictSame(app.tenants.ids(), ['demo', 'a'])
  const added = once(app.tenants, 'added')
  await put(path, content('b'))
  await added
  t.strictSame(app.tenants.ids(), ['demo', 'b'])
})
