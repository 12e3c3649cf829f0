import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createHookHandler } from '../../../sdk/hook-server/src/index.js'
import { AckStatus, body, MessageType } from '../../helpers/client.js'
import { freePort } from '../../helpers/free-port.js'
import { startPatientGateway } from '../../helpers/patient-gateway.js'

const sdk = fileURLToPath(new URL('../../../sdk/hook-server/', import.meta.url))
const readme = readFileSync(`${sdk}README.md`, 'utf8')
const blocks = [...readme.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code)

t.test('the server of the README serves a gateway', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'mics-readme-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'server.mjs')
  // The package as it is in the sources: it need not be built.
  writeFileSync(file, blocks[0].replace('\'@mics/hook-server\'', JSON.stringify(`${sdk}src/index.ts`)))
  const port = await freePort()
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), file], {
    env: { ...process.env, PORT: String(port), SECRET: 'a-long-random-secret' }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data')
  t.equal(String(line), `hooks at port ${port}\n`)

  const gateway = await startPatientGateway(t, {
    TENANT_AUTH_MAP: JSON.stringify({ t1: `http://127.0.0.1:${port}` }),
    TENANT_HOOK_SECRETS: JSON.stringify({ t1: 'a-long-random-secret' }),
  })
  await t.rejects(gateway.connect('eve', { token: 'guessed' }), /4001 unknown token/)
  const alice = await gateway.connect('alice', { token: 'token-of-alice' })
  const bob = await gateway.connect('bob', { token: 'token-of-bob' })
  const team = { msgType: MessageType.GROUP_CHAT, groupId: 'team' }
  t.equal((await alice.sendAndAck({ ...team, msgBody: body('hello') })).status, AckStatus.SENT)
  await bob.waitMessages(1)
  t.equal((await alice.sendAndAck({ ...team, msgBody: body('forbidden') })).reason, 'forbidden word')
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  t.match(metrics, /operation="auth",outcome="denied"} 1$/m)

  child.kill('SIGTERM')
  await gateway.server.close()
  const [code] = await once(child, 'exit')
  t.equal(code, 0, 'it leaves when it is told to and its connections have ended')
})

t.test('the README has every option, and every metric', async t => {
  const options = readFileSync(`${sdk}src/options.ts`, 'utf8')
  const handler = options.slice(options.indexOf('export type HookHandlerOptions'), options.indexOf('/** The secrets, or'))
  const consumer = readFileSync(`${sdk}src/event-consumer.ts`, 'utf8')
  const names = [handler, consumer.slice(consumer.indexOf('export type'), consumer.indexOf('/** Records of'))]
    .flatMap(text => [...text.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name))
  t.ok(names.length > 25)
  for (const name of names) t.match(readme, new RegExp(`\\b${name}\\b`), name)
  const hooks = createHookHandler({ allowUnsigned: true, authenticate: () => ({ ok: false }) })
  for (const [, name] of hooks.metrics().matchAll(/^# TYPE (\S+)/gm)) t.match(readme, new RegExp(`\`${name}\``), name)
})
