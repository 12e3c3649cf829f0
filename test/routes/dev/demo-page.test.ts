import Fastify from 'fastify'
import t, { type Test } from 'tap'
import type { DemoNode } from '../../../lib/config/app-options.js'
import { describeFailure } from '../../../cli/failure.js'
import { demoPage } from '../../../routes/dev/demo-page.js'

async function startPage (t: Test, nodes: DemoNode[]): Promise<string> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(demoPage, { nodes: () => nodes })
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

t.test('the page comes with the client of the SDK, and may give it a worker', async t => {
  const url = await startPage(t, [])
  for (const [path, name] of [['mics-client.js', 'MicsClient'], ['mics-protocol.js', 'decodeServerFrame']]) {
    const response = await fetch(`${url}/${path}`)
    t.match(response.headers.get('content-type'), /javascript/)
    t.match(response.headers.get('content-security-policy'), 'worker-src blob:;')
    t.match(await response.text(), new RegExp(`export\\{.*as ${name}\\b|export\\{.*\\b${name}\\b`))
  }
})

t.test('where the client is not built there is one line that says what to do', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  const clientFolder = t.testdir({ 'browser.min.js': '' })
  const error = await app.register(demoPage, { clientFolder }).then(() => undefined, (error: unknown) => error)
  t.match(describeFailure(error), {
    text: /^the demo page needs the client .* there is no .*protocol\.min\.js; run `npm run build:sdk`$/, exitCode: 1,
  })
})

async function policyAt (path: string, host: string): Promise<string> {
  const app = Fastify()
  await app.register(demoPage, { nodes: () => [{ nodeId: 'node-1', port: 8080 }, { nodeId: 'node-2', port: 8081 }] })
  const { headers } = await app.inject({ url: path, headers: { host } })
  await app.close()
  const policy = String(headers['content-security-policy'])
  return policy.split('; ').find(directive => directive.startsWith('connect-src')) ?? ''
}

t.test('a single node is nothing to choose from', async t => {
  const url = await startPage(t, [])
  t.same(await (await fetch(`${url}/nodes.json`)).json(), { nodes: [], first: 0 })
  t.match((await fetch(url)).headers.get('content-security-policy'), /connect-src 'self';/)
})

t.test('pages loaded one after the other start on different nodes, the first on the one that serves them', async t => {
  const nodes: DemoNode[] = []
  const url = await startPage(t, nodes)
  const own = { nodeId: 'node-2', port: Number(new URL(url).port) }
  nodes.push({ nodeId: 'node-1', port: 1 }, own, { nodeId: 'node-3', port: 3 })
  const firsts: number[] = []
  for (let i = 0; i < 4; i++) {
    const answer = await (await fetch(`${url}/nodes.json`)).json() as { nodes: DemoNode[], first: number }
    t.same(answer.nodes, nodes)
    firsts.push(answer.first)
  }
  t.same(firsts, [1, 2, 0, 1])
})

t.test('the page may connect to the nodes and nowhere else, under the host by which it was reached', async t => {
  const expected = new Map([
    ['localhost:8080', "connect-src 'self' ws://localhost:8080 ws://localhost:8081"],
    ['192.0.2.7:8080', "connect-src 'self' ws://192.0.2.7:8080 ws://192.0.2.7:8081"],
    ['my-laptop.local:8080', "connect-src 'self' ws://my-laptop.local:8080 ws://my-laptop.local:8081"],
    ['[::1]:8080', "connect-src 'self' ws://*:8080 ws://*:8081"],
    ["evil.example 'unsafe-inline'; script-src *", "connect-src 'self' ws://*:8080 ws://*:8081"],
  ])
  for (const [host, policy] of expected) {
    for (const path of ['/', '/app.js', '/nodes.json']) t.equal(await policyAt(path, host), policy, `${host} ${path}`)
  }
})
