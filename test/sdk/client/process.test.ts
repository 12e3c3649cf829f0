import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { ScriptedGateway } from './scripted-gateway.js'

/** Runs a script with a client in a process of its own; resolves with what it printed and its exit code. */
function run (t: Test, url: string, script: string) {
  const client = new URL('../../../sdk/client/src/node.ts', import.meta.url)
  const head = `
    import { MicsClient } from ${JSON.stringify(fileURLToPath(client))}
    const client = new MicsClient({ url: '${url}', tenantId: 't1', deviceId: 'd1', token: 'x', random: () => 0 })
  `
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', head + script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  let printed = ''
  child.stdout.on('data', chunk => { printed += chunk })
  return once(child, 'close').then(([code]) => ({ code, printed }))
}

t.test('a process stays for its client, also while that waits, and ends when it is closed', async t => {
  const gateway = await ScriptedGateway.start(t)
  const ended = run(t, gateway.url, `
    client.on('message', async ({ text }) => {
      console.log(text)
      await client.close()
    })
    client.connect()
  `)
  const first = await gateway.letIn()
  first.socket.terminate()
  const second = await gateway.letIn()
  second.deliver({})
  t.strictSame(await ended, { code: 0, printed: 'hi\n' })
})

t.test('a client whose connection ended for good lets its process end', async t => {
  const gateway = await ScriptedGateway.start(t)
  const ended = run(t, gateway.url, `
    client.connect().catch(({ code, closeCode }) => console.log(code, closeCode))
  `)
  const accepted = await gateway.next()
  accepted.socket.close(4001, 'no')
  t.strictSame(await ended, { code: 0, printed: 'MICS_CONNECTION_ENDED 4001\n' })
})
