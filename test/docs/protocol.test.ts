import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import type { DescMessage } from '@bufbuild/protobuf'
import { loadConfig } from '../../lib/config/load-config.js'
import { EventType, file_mics_hook_v1_hook as hookFile, TenantRuntimeConfigSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { file_mics_message_v1_message as messageFile } from '../../lib/gen/mics/message/v1/message_pb.js'
import { encodeEvent } from '../../lib/mq/encode-event.js'
import { deadLetterHeaders, eventHeaders, REPLAYED_AT } from '../../lib/mq/event-headers.js'
import { TopicNames } from '../../lib/mq/topic-names.js'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { AckReason, FrameError } from '../../lib/protocol/server-errors.js'
import { startHookMock } from '../../routes/dev/hook-mock.js'
import { startServer, type Server } from '../../server.js'
import { MessageType, TestClient } from '../helpers/client.js'
import { startGateway } from '../helpers/gateway.js'
import { codeIn, readDocument, root, section, tableRows } from '../helpers/markdown.js'

const protocol = readDocument('docs/protocol.md')

/** The first group of a pattern that the text must match. */
function find (text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`nothing matches ${pattern}`)
  return found
}

/** The example whose first line is a comment with this name. */
function example (name: string): string {
  return find(protocol, new RegExp(`\`\`\`js\\n(// ${name}\\n[\\s\\S]*?)\`\`\``))
}

/** A folder with the example and the compiled definitions, as its reader would have. */
function folderWith (t: Test, name: string): string {
  const folder = t.testdir({ [name]: example(name) })
  const { status, stderr } = spawnSync(`${root}node_modules/.bin/buf`, ['build', 'proto', '-o', `${folder}/mics.binpb`], { cwd: root })
  if (status !== 0) throw new Error(`buf build failed: ${String(stderr)}`)
  return folder
}

t.test('the table of close codes has every code, and no other', async t => {
  const codes = tableRows(section(protocol, 'Close codes')).slice(1).map(([code]) => Number(code))
  t.same(codes, Object.values(CloseCode))
})

t.test('the table of frame errors has every code', async t => {
  const codes = tableRows(section(protocol, 'Frames')).map(([code]) => Number(code)).filter(Boolean)
  t.same(codes, Object.values(FrameError))
})

t.test('the table of reasons has every reason, and no other', async t => {
  const reasons = tableRows(section(protocol, 'Sending and acks')).slice(1).flatMap(([reason]) => codeIn(reason))
  t.same(new Set([...reasons, AckReason.DUPLICATE]), new Set(Object.values(AckReason)))
})

t.test('fields and their numbers are those of the definitions', async t => {
  const documented = new Map<string, string[]>()
  for (const [names, fields] of tableRows(protocol)) {
    const [name] = codeIn(names)
    if (name !== undefined && fields !== undefined) documented.set(name, [...documented.get(name) ?? [], fields])
  }
  const isDocumented = ({ name }: DescMessage): boolean =>
    !['ClientFrame', 'ServerFrame', 'TenantRuntimeConfig'].includes(name)
  for (const message of [...messageFile.messages, ...hookFile.messages].filter(isDocumented)) {
    const numbers = [...documented.get(message.name)?.at(-1)?.matchAll(/`(\w+)` (\d+)/g) ?? []]
      .map(([, name, number]) => `${name} ${number}`)
    t.same(numbers, message.fields.map(({ name, number }) => `${name} ${number}`), message.name)
  }
})

t.test('the table of TenantRuntimeConfig has every field', async t => {
  const fields = tableRows(section(protocol, 'TenantRuntimeConfig')).slice(1).map(([name, number]) => `${codeIn(name)[0]} ${number}`)
  t.same(fields, TenantRuntimeConfigSchema.fields.map(({ name, number }) => `${name} ${number}`))
})

t.test('events have the types, headers and topics that are said', async t => {
  const events = section(protocol, 'Events')
  const types = tableRows(events).find(([name]) => name === '`EventType`')?.[1]
  t.same([...types?.matchAll(/`(\w+)` (\d)/g) ?? []].map(([, name, value]) => [name, Number(value)]),
    Object.entries(EventType).filter(([name]) => isNaN(Number(name))))

  const event = encodeEvent({
    tenantId: 'acme',
    type: EventType.CONNECT_ONLINE,
    msgId: '',
    userId: 'alice',
    deviceId: 'phone',
    toUserId: '',
    groupId: '',
    data: Buffer.alloc(0),
    timestampMs: 0,
    traceId: 'a'.repeat(32),
    secret: '',
    key: 'alice',
  }, 'node-1')
  const why = { reason: '', message: '', attempts: 0, topic: '', nowMs: 0, isTruncated: true }
  const headers = [...eventHeaders(event), ...deadLetterHeaders(why)].map(([name]) => name)
  const documented = tableRows(events).flatMap(([name]) => codeIn(name)).filter(name => /^[a-z-]+$/.test(name))
  t.same(documented, [...headers, REPLAYED_AT])

  const [eventTopic, deadLetterTopic] = codeIn(find(events, /^\*\*Topics\.\*\* (.*)$/m))
  const names = new TopicNames(eventTopic, deadLetterTopic)
  const examples = [...events.matchAll(/`([^`]+)`\s(?:is|becomes)\s`([^`]+)`/g)]
  t.equal(examples.length, 2)
  for (const [, id, encoded] of examples) t.equal(names.event(id), `im-mics-${encoded}-event`)
  const { kafkaEventTopic, kafkaDlqTopic } = loadConfig({}, { embedded: true })
  t.same([eventTopic, deadLetterTopic], [kafkaEventTopic, kafkaDlqTopic])
})

for (const name of ['verify-header.mjs', 'verify-meta-sign.mjs']) {
  t.test(`${name} tells a true signature from a false one, and takes either of two secrets`, async t => {
    const { stdout, stderr } = spawnSync(process.execPath, [name], { cwd: folderWith(t, name), encoding: 'utf8', env: {} })
    t.same(stdout, 'true\nfalse\ntrue\n', stderr)
  })
}

/** What a client.mjs in this folder prints, line by line. It is ended when the test ends. */
function runClient (
  t: Test, cwd: string, server: Server, args: string[], env: NodeJS.ProcessEnv = {}
): AsyncIterator<string> {
  const client = spawn(process.execPath, ['client.mjs', ...args],
    { cwd, env: { MICS_URL: server.url.replace('http', 'ws'), ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => client.kill())
  return lines()

  async function * lines (): AsyncGenerator<string> {
    for await (const line of createInterface(client.stdout)) {
      // A hook may be late on a busy machine; the client comes back by itself.
      if (!line.startsWith('closed: 4503')) yield line
    }
  }
}

t.test('two of the example client chat through the demo', async t => {
  const config = loadConfig({ HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', DRAIN_TIMEOUT_SECONDS: '1' }, { embedded: true })
  const server = await startServer({ config, embedded: true, handleSignals: false })
  t.teardown(async () => await server.close())
  const cwd = folderWith(t, 'client.mjs')

  const bob = runClient(t, cwd, server, ['bob'])
  t.equal((await bob.next()).value, 'connected as bob')
  const alice = runClient(t, cwd, server, ['alice', 'bob', 'hello'])
  t.equal((await bob.next()).value, 'alice: hello')
  t.equal((await alice.next()).value, 'connected as alice')
  t.equal((await alice.next()).value, 'sent')
  const mallory = runClient(t, cwd, server, ['not a name'])
  t.equal((await mallory.next()).value, 'closed: 4001 invalid token: use valid:<name>')
  t.equal((await mallory.next()).done, true, 'it does not try again')
})

t.test('the example client connects to a tenant of your own the way the README says', async t => {
  const readme = section(readDocument('README.md'), 'Your own hooks')
  const tenants = find(readme, /^TENANT_AUTH_MAP='(.+)' npm start$/m)
  const port = find(readme, /hook mock --port (\d+)$/m)
  const tenant = find(readme, /^MICS_TENANT=(\S+) node client\.mjs \S+$/m)
  const user = find(readme, /^MICS_TENANT=\S+ node client\.mjs (\S+)$/m)

  const hooks = await startHookMock({ host: '127.0.0.1', port: 0, secrets: [], groups: {}, log: false })
  t.teardown(async () => await hooks.close())
  t.match(tenants, `"http://localhost:${port}"`, 'the tenant is where its hooks are')
  const config = loadConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: 'silent',
    DRAIN_TIMEOUT_SECONDS: '1',
    TENANT_AUTH_MAP: tenants.replace(`http://localhost:${port}`, hooks.url),
  })
  const server = await startServer({ config, embedded: false, handleSignals: false })
  t.teardown(async () => await server.close())
  const cwd = folderWith(t, 'client.mjs')
  t.equal((await runClient(t, cwd, server, [user], { MICS_TENANT: tenant }).next()).value, `connected as ${user}`)
  t.match((await runClient(t, cwd, server, [user]).next()).value, /^closed: 4002/, 'without it, it is the demo tenant')
})

t.test('an empty 200 is the answer that the protocol says it is', async t => {
  const gateway = await startGateway(t, {}, { hookTimeoutMs: 10_000 })
  const [said] = /^Beware of empty answers[\s\S]*?\n\n/m.exec(section(protocol, 'Hooks')) ?? ['']
  const alice = await gateway.connect('alice')
  gateway.hooks.raw.set('get-group-members', response => response.writeHead(200).end())
  t.match(await alice.sendAndAck({ msgType: MessageType.GROUP_CHAT, groupId: 'g' }), { reason: AckReason.MEMBERS_EMPTY })
  t.match(said, AckReason.MEMBERS_EMPTY)
  gateway.hooks.raw.set('check-message', response => response.writeHead(200).end())
  t.match(await alice.sendAndAck({ toUserId: 'bob' }), { reason: AckReason.REJECTED })
  t.match(said, AckReason.REJECTED)
  gateway.hooks.raw.set('auth', response => response.writeHead(200).end())
  t.match(await TestClient.open(gateway.url, { token: 'valid:bob' }).closed, { code: CloseCode.AUTH_FAILED })
  t.match(said, String(CloseCode.AUTH_FAILED))
})

t.test('the command for Python names definitions that are there', async t => {
  const command = find(protocol, /^(python -m grpc_tools\.protoc .*)$/m)
  const files = command.match(/\bproto\/\S+\.proto\b/g) ?? []
  t.same(files, [messageFile, hookFile].map(({ name }) => `proto/${name}.proto`))
  for (const file of files) t.ok(existsSync(`${root}${file}`), file)
})
