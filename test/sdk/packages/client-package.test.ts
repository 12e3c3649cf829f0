import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'
import t from 'tap'
import { loadConfig } from '../../../lib/config/load-config.js'
import { startServer } from '../../../server.js'
import { launchChromium } from '../../helpers/chromium.js'
import { EmptyProject } from './empty-project.js'

/*
 * @mics/client as somebody gets it from the registry: packed, installed into an empty project, and used from there.
 */

const gateway = await startServer({
  config: loadConfig({ PORT: '0', LOG_LEVEL: 'silent' }, { embedded: true }),
  embedded: true,
  handleSignals: false,
})
t.teardown(async () => await gateway.close())
const url = gateway.url.replace('http', 'ws')
const requiresModules = (process.features as { require_module?: boolean }).require_module === true
const project = EmptyProject.install(t, 'client')

/** Alice writes to Bob with an encrypted body; what Bob reads is the result. */
const chat = `
import { MicsClient } from '@mics/client'
import { aesGcm } from '@mics/client/encryption'

export async function chat (url) {
  const encryption = aesGcm({ keys: { k1: new Uint8Array(32) }, keyId: 'k1' })
  const clientOf = name => new MicsClient({
    url, tenantId: 'demo', deviceId: 'd1-' + Math.random(), token: () => 'valid:' + name, encryption
  })
  const [alice, bob] = [clientOf('alice'), clientOf('bob')]
  await bob.connect()
  const received = new Promise(resolve => bob.on('message', ({ userId, text }) => resolve(userId + ': ' + text)))
  await alice.connect()
  const { status } = await alice.send({ toUserId: 'bob', body: 'hello ✓' })
  const text = await received
  await Promise.all([alice.close(), bob.close()])
  return status + ', ' + text
}
`
project.write('chat.js', chat)

t.test('an ES module in Node.js imports it and chats', async t => {
  project.write('main.js', "import { chat } from './chat.js'\nconsole.log(await chat(process.argv[2]))\n")
  // It also shows that a client that was closed holds no process open.
  const { stdout } = await promisify(execFile)(process.execPath, ['main.js', url], { cwd: project.folder })
  t.equal(stdout, 'SENT, alice: hello ✓\n')
})

t.test('CommonJS requires it and chats', { skip: !requiresModules && 'this Node.js cannot require ES modules' }, async t => {
  project.write('main.cjs', "require('./chat.js').chat(process.argv[2]).then(console.log)\n")
  const { stdout } = await promisify(execFile)(process.execPath, ['main.cjs', url], { cwd: project.folder })
  t.equal(stdout, 'SENT, alice: hello ✓\n')
})

t.test('its types are found and right, by all ways in which TypeScript looks for them', async t => {
  project.write('typed.ts', `
import { MicsClient, MicsError, type IncomingMessage, type MessageAck } from '@mics/client'
import { aesGcm } from '@mics/client/encryption'
import { decodeServerFrame } from '@mics/client/protocol'
import { wechatTransport } from '@mics/client/wechat'

export const client = new MicsClient({
  url: 'wss://im.example.com', tenantId: 'acme', deviceId: 'd1', token: 'secret', encryption: aesGcm({ keys: {}, keyId: 'k1' })
})
client.on('message', (message: IncomingMessage) => message.text.toUpperCase())
export const ack: Promise<MessageAck> = client.send({ groupId: 'team', body: new Uint8Array() })
export const code = (error: MicsError): string => error.code
export { decodeServerFrame, wechatTransport }
// @ts-expect-error a message has one recipient
client.send({ toUserId: 'bob', groupId: 'team', body: '' }).catch(() => {})
`)
  for (const [module, resolution] of [['NodeNext', 'NodeNext'], ['ESNext', 'Bundler'], ['ESNext', 'Node10']]) {
    const output = project.runTool('typescript/bin/tsc', '--noEmit', '--strict', '--target', 'ES2022', '--lib', 'ES2022,DOM',
      '--module', module, '--moduleResolution', resolution, '--ignoreDeprecations', '6.0', 'typed.ts')
    t.equal(output, '', resolution)
  }
})

t.test('a page that Vite has built with it chats in a browser', async t => {
  project.write('index.html', '<!doctype html><link rel="icon" href="data:,"><output></output><script type="module" src="/page.js"></script>')
  project.write('page.js', `
import { chat } from './chat.js'
const url = new URLSearchParams(location.search).get('url')
chat(url).then(String, String).then(text => { document.querySelector('output').textContent = text })
`)
  const log = project.runTool('vite/bin/vite.js', 'build', '--logLevel', 'warn')
  t.equal(log, '', 'it warns of nothing, such as a module of Node.js in the browser')
  t.match(readFileSync(join(project.folder, 'dist/index.html'), 'utf8'), /assets\/index-.*\.js/)

  const site = Fastify()
  await site.register(fastifyStatic, { root: join(project.folder, 'dist') })
  const address = await site.listen({ host: '127.0.0.1', port: 0 })
  const browser = await launchChromium()
  t.teardown(async () => {
    await browser.close()
    await site.close()
  })
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()) })
  await page.goto(`${address}/?${new URLSearchParams({ url })}`)
  t.equal(await page.locator('output').filter({ hasText: /./ }).textContent(), 'SENT, alice: hello ✓')
  t.same(complaints, [])
})

t.test('the tarball has what is used and nothing else', async t => {
  const installed = join(project.folder, 'node_modules/@mics/client')
  const { files } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { files: string[] }
  t.same(files, ['dist', 'miniprogram_dist', 'README.md', 'LICENSE'])
  for (const file of ['dist/browser.min.js', 'miniprogram_dist/index.js', 'README.md', 'LICENSE']) {
    t.ok(readFileSync(join(installed, file)).length > 0, file)
  }
})
