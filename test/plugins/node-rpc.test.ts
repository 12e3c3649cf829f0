import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import t, { type Test } from 'tap'
import { NodeService } from '../../lib/gen/mics/node/v1/node_pb.js'
import { startGateway } from '../helpers/gateway.js'
import { freePort } from '../helpers/redis-server.js'

const TOKEN = 'a-secret-of-this-test'
const LINK_PATH = `/${NodeService.typeName}/${NodeService.method.link.name}`
const AUTHORIZED = { authorization: `Bearer ${TOKEN}` }

/** The status of a request over cleartext HTTP/2, as nodes speak it. */
async function statusOf (t: Test, origin: string, path: string, headers: IncomingHttpHeaders = {}, method = 'GET'): Promise<number> {
  const session = connectHttp2(origin)
  t.teardown(() => session.destroy())
  const stream = session.request({ ':method': method, ':path': path, ...headers })
  stream.end()
  const [answer] = await once(stream, 'response')
  stream.resume()
  return Number((answer as IncomingHttpHeaders)[':status'])
}

/** `connected`, or the code of the error. */
async function connection (port: number): Promise<string> {
  const socket = connectTcp(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return 'connected'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
  }
}

t.test('the node RPC is not on the port of the clients, whatever they present', async t => {
  const gateway = await startGateway(t, { CLUSTER_GRPC_TOKEN: TOKEN, NODE_PORT: '0' })
  for (const headers of [{}, AUTHORIZED]) {
    const response = await fetch(`${gateway.url}${LINK_PATH}`, {
      method: 'POST', headers: { ...headers, 'content-type': 'application/connect+proto' }, body: Buffer.alloc(5),
    })
    t.equal(response.status, 404)
    await response.arrayBuffer()
  }
  const nodePort = gateway.server.app.nodeEndpoint()
  t.notOk([401, 404].includes(await statusOf(t, nodePort, LINK_PATH, AUTHORIZED, 'POST')), 'it is on the other one')
})

t.test('nothing of what clients and operators ask for is on the node port', async t => {
  const gateway = await startGateway(t, { CLUSTER_GRPC_TOKEN: TOKEN, NODE_PORT: '0' })
  const nodePort = gateway.server.app.nodeEndpoint()
  t.not(new URL(nodePort).port, new URL(gateway.url).port)
  for (const path of ['/ws', '/metrics', '/readyz', '/healthz', '/']) {
    t.equal(await statusOf(t, nodePort, path), 401, `${path} without a token`)
    t.equal(await statusOf(t, nodePort, path, { authorization: 'Bearer another' }), 401, `${path} with another token`)
    t.equal(await statusOf(t, nodePort, path, AUTHORIZED), 404, `${path} with the token`)
  }
  t.equal(await gateway.metric('mics_node_rpc_refused_total', { reason: 'token' }), 10)
})

t.test('the node RPC itself is for nobody without the token', async t => {
  const gateway = await startGateway(t, { CLUSTER_GRPC_TOKEN: TOKEN, NODE_PORT: '0' })
  const nodePort = gateway.server.app.nodeEndpoint()
  for (const authorization of ['', TOKEN, `bearer ${TOKEN}`, `Bearer ${TOKEN}x`, `Basic ${TOKEN}`]) {
    t.equal(await statusOf(t, nodePort, LINK_PATH, { authorization }, 'POST'), 401, `authorization: ${authorization}`)
  }
})

t.test('of several tokens any is accepted, each by itself', async t => {
  const gateway = await startGateway(t, { CLUSTER_GRPC_TOKEN: 'new-one,old-one', NODE_PORT: '0' })
  const nodePort = gateway.server.app.nodeEndpoint()
  for (const token of ['new-one', 'old-one']) {
    t.equal(await statusOf(t, nodePort, '/', { authorization: `Bearer ${token}` }), 404, token)
  }
  for (const token of ['new-one,old-one', 'another', '']) {
    t.equal(await statusOf(t, nodePort, '/', { authorization: `Bearer ${token}` }), 401, token)
  }
})

t.test('a node that is alone listens for no other', async t => {
  const port = await freePort()
  const gateway = await startGateway(t, { NODE_PORT: String(port) })
  t.equal((await fetch(`${gateway.url}/readyz`)).status, 200)
  t.equal(await connection(port), 'ECONNREFUSED')
  t.equal(gateway.server.app.nodeEndpoint(), '')
})

t.test('a node of a cluster listens where it is told to', async t => {
  const port = await freePort()
  const gateway = await startGateway(t, { NODE_PORT: String(port), CLUSTER_GRPC_TOKEN: TOKEN })
  t.equal(await connection(port), 'connected')
  t.equal(gateway.server.app.nodeEndpoint(), `http://127.0.0.1:${port}`)
})
