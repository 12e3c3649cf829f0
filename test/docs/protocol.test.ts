import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import type { DescMessage } from '@bufbuild/protobuf'
import { loadConfig } from '../../lib/config/load-config.js'
import { file_mics_hook_v1_hook as hookFile, TenantRuntimeConfigSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { file_mics_message_v1_message as messageFile } from '../../lib/gen/mics/message/v1/message_pb.js'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { AckReason, FrameError } from '../../lib/protocol/server-errors.js'
import { startServer } from '../../server.js'
import { codeIn, readDocument, root, section, tableRows } from '../helpers/markdown.js'

const protocol = readDocument('docs/protocol.md')

/** The example whose first line is a comment with this name. */
function example (name: string): string {
  const found = new RegExp(`\`\`\`js\\n(// ${name}\\n[\\s\\S]*?)\`\`\``).exec(protocol)?.[1]
  if (found === undefined) throw new Error(`docs/protocol.md has no example ${name}`)
  return found
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
    !['ClientFrame', 'ServerFrame', 'TenantRuntimeConfig', 'MqEvent'].includes(name)
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

for (const name of ['verify-header.mjs', 'verify-meta-sign.mjs']) {
  t.test(`${name} tells a true signature from a false one`, async t => {
    const { stdout, stderr } = spawnSync(process.execPath, [name], { cwd: folderWith(t, name), encoding: 'utf8', env: {} })
    t.same(stdout, 'true\nfalse\n', stderr)
  })
}

t.test('two of the example client chat through the demo', async t => {
  const config = loadConfig({ HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', DRAIN_TIMEOUT_SECONDS: '1' }, { embedded: true })
  const server = await startServer({ config, embedded: true, handleSignals: false })
  t.teardown(async () => await server.close())
  const cwd = folderWith(t, 'client.mjs')
  const start = (...args: string[]): AsyncIterator<string> => {
    const client = spawn(process.execPath, ['client.mjs', ...args],
      { cwd, env: { MICS_URL: server.url.replace('http', 'ws') }, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => client.kill())
    return createInterface(client.stdout)[Symbol.asyncIterator]()
  }

  const bob = start('bob')
  t.equal((await bob.next()).value, 'connected as bob')
  const alice = start('alice', 'bob', 'hello')
  t.equal((await bob.next()).value, 'alice: hello')
  t.equal((await alice.next()).value, 'connected as alice')
  t.equal((await alice.next()).value, 'sent')
  const mallory = start('not a name')
  t.equal((await mallory.next()).value, 'closed: 4001 invalid token: use valid:<name>')
  t.equal((await mallory.next()).done, true, 'it does not try again')
})
