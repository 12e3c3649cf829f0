import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { makeCertificate } from '../helpers/certificate.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { mics, type Finished } from './run.js'

/** A proxy that takes TLS off before the gateway. Resolves with its port and its certificate. */
async function startTls (t: Test, gatewayUrl: string): Promise<{ port: number, cert: string }> {
  const { key, cert } = makeCertificate(t.testdir())
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, socket => {
    const gateway = connect(Number(new URL(gatewayUrl).port), '127.0.0.1')
    socket.pipe(gateway).pipe(socket)
    for (const [one, other] of [[socket, gateway], [gateway, socket]]) one.on('error', () => {}).on('close', () => other.destroy())
  })
  server.on('tlsClientError', () => {}) // a client that does not trust it
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { port: (server.address() as AddressInfo).port, cert }
}

async function load (url: string, env: NodeJS.ProcessEnv, threads: number): Promise<Finished> {
  return await mics(['load', 'pair', '--url', url, '--tenant', 't1', '--connections', '4', '--rate', '50', '--size', '100000',
    '--duration', '0.5', '--drain', '60', '--threads', String(threads), '--json'], env)
}

t.test('wss: works with a certificate that the process trusts, by name and by address', async t => {
  const gateway = await startPatientGateway(t)
  const { port, cert } = await startTls(t, gateway.url)
  for (const [host, threads] of [['localhost', 1], ['127.0.0.1', 2]] as const) {
    const { stdout, stderr, exitCode } = await load(`wss://${host}:${port}`, { NODE_EXTRA_CA_CERTS: cert }, threads)
    t.equal(stderr, '', 'no warning')
    t.equal(exitCode, 0, stdout)
    t.match(JSON.parse(stdout), { ok: true, connections: { connected: 4 } })
    t.ok(JSON.parse(stdout).messages.acked > 0)
  }
})

t.test('wss: with a certificate that nobody trusts ends with what to do', async t => {
  const gateway = await startPatientGateway(t)
  const { port } = await startTls(t, gateway.url)
  for (const threads of [1, 2]) {
    const { stdout, stderr, exitCode } = await load(`wss://localhost:${port}`, {}, threads)
    t.match(stderr, /^the certificate of localhost:\d+ is signed by nobody whom this process trusts\. .*NODE_EXTRA_CA_CERTS=/)
    t.equal(stdout, '')
    t.equal(exitCode, 1)
  }
  t.equal(gateway.hooks.calls.length, 0)
})
