import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { loadConfig } from '../../../lib/config/load-config.js'
import { startServer } from '../../../server.js'
import { AckStatus, MessageType, TestClient } from '../../helpers/client.js'
import { EmptyProject } from './empty-project.js'

/*
 * @mics/hook-server as somebody gets it from the registry: packed, installed into an empty project, used from there.
 */

const project = EmptyProject.install(t, 'hook-server')

t.test('an ES module in Node.js serves the hooks of a gateway with it, signed', async t => {
  project.write('server.js', `
import { createServer } from 'node:http'
import { createHookHandler } from '@mics/hook-server'

const hooks = createHookHandler({
  secrets: 's3cret',
  authenticate: ({ token }) => ({ ok: true, userId: token.replace('valid:', '') }),
  checkMessage: ({ message }) => message.text.includes('spam') ? { allow: false, reason: 'no spam' } : { allow: true },
  getGroupMembers: () => ['alice', 'bob'],
})
const server = createServer(hooks.node)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`)
  const child = spawn(process.execPath, ['server.js'], { cwd: project.folder, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  const [port] = await once(createInterface(child.stdout), 'line') as [string]
  const gateway = await startServer({
    config: loadConfig({
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'silent',
      TENANT_AUTH_MAP: `{"t1":"http://127.0.0.1:${port}"}`,
      TENANT_HOOK_SECRETS: '{"t1":"s3cret"}',
      HOOK_SIGN_REQUIRED: 'true',
    }),
    embedded: false,
    handleSignals: false,
  })
  t.teardown(async () => await gateway.close())
  // The gateway, the server and their tests share a busy machine here.
  gateway.app.hooksClient.timeoutMs = 10_000

  const alice = await TestClient.connect(gateway.url, 'alice')
  t.teardown(() => alice.ws.terminate())
  t.equal((await alice.connectAck()).userId, 'alice')
  const refused = await alice.sendAndAck({ toUserId: 'bob', msgBody: Buffer.from('spam') })
  t.match(refused, { status: AckStatus.FAILED, reason: 'no spam' })
  const bob = await TestClient.connect(gateway.url, 'bob')
  t.teardown(() => bob.ws.terminate())
  alice.send({ msgType: MessageType.GROUP_CHAT, groupId: 'team', msgBody: Buffer.from('hello') })
  t.match(await bob.waitMessages(1), [{ userId: 'alice', groupId: 'team' }])
})

t.test('its types are found and right, by both ways in which TypeScript looks for them', async t => {
  project.write('typed.ts', `
import { createHookHandler, type HookHandlerOptions } from '@mics/hook-server'
import { openEvent, type GatewayEvent } from '@mics/hook-server/events'

export const options: HookHandlerOptions = { secrets: ['new', 'old'], authenticate: async ({ token }) => ({ ok: true, userId: token }) }
export const handler = createHookHandler(options)
export const opened = openEvent
export const text = (event: GatewayEvent): string | undefined => event.message?.text
// @ts-expect-error a refused user has a reason and no id
createHookHandler({ secrets: 's', authenticate: () => ({ ok: 'yes' }) })
`)
  for (const [module, resolution] of [['NodeNext', 'NodeNext'], ['ESNext', 'Bundler']]) {
    const output = project.runTool('typescript/bin/tsc', '--noEmit', '--strict', '--skipLibCheck', '--target', 'ES2022', '--lib', 'ES2022,DOM',
      '--module', module, '--moduleResolution', resolution, 'typed.ts')
    t.equal(output, '', resolution)
  }
})

t.test('without Fastify and the Kafka client it loads, and what needs them says which one is missing', async t => {
  project.write('events.js', `
import { createEventConsumer, openEvent } from '@mics/hook-server/events'
console.log(typeof openEvent)
const consumer = createEventConsumer({
  brokers: '127.0.0.1:1', groupId: 'g', tenantIds: 't1', secrets: 's3cret', handler: () => {},
})
try {
  await consumer.start()
} catch (error) {
  console.log(error.message)
}
`)
  t.match(project.run('events.js'), /^function\n.*npm install @confluentinc\/kafka-javascript/)
})

t.test('the tarball has what is used and nothing else', async t => {
  const installed = join(project.folder, 'node_modules/@mics/hook-server')
  for (const file of ['dist/index.js', 'dist/gen/mics/hook/v1/hook_pb.js', 'README.md', 'LICENSE']) {
    t.ok(readFileSync(join(installed, file)).length > 0, file)
  }
  t.throws(() => readFileSync(join(installed, 'src/index.ts')))
  // Where the Kafka client is missing the package is built, and its types are checked, all the same.
  for (const file of readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' }).filter(name => /\.(js|d\.ts)$/.test(name))) {
    t.notMatch(readFileSync(join(installed, 'dist', file), 'utf8'), /from '@confluentinc/, file)
  }
})
