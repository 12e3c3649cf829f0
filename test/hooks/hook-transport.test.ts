import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { HookFailure, type HookFailureKind } from '../../lib/hooks/hook-failure.js'
import { HookTransport, type HookRequest } from '../../lib/hooks/hook-transport.js'

/** Far longer than any answer takes, on a busy machine too. */
const LONG_MS = 20_000

interface Peer {
  url: string
  /** Resolves when none of the connections that were ever made is open. */
  allClosed: () => Promise<void>
  connections: () => number
}

async function listen (t: Test, server: Server): Promise<Peer> {
  const sockets: Socket[] = []
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    // Its end is what the tests wait for; a reset is an end too.
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => sockets.length,
    allClosed: async () => {
      await Promise.all(sockets.map(gone))
    },
  }
}

function gone (socket: Socket): Promise<void> {
  return new Promise(resolve => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

async function http (t: Test, listener: RequestListener): Promise<Peer> {
  return await listen(t, createServer({ keepAliveTimeout: LONG_MS }, listener))
}

function transport (t: Test): HookTransport {
  const transport = new HookTransport()
  t.teardown(() => transport.close())
  return transport
}

function request (baseUrl: string, fields: Partial<HookRequest> = {}): HookRequest {
  const body = Buffer.from('question')
  return { baseUrl, operation: 'auth', headers: {}, body, timeoutMs: LONG_MS, maxResponseBytes: 1024, ...fields }
}

async function failure (answer: Promise<unknown>): Promise<HookFailureKind> {
  const error = await answer.then(() => undefined, (error: unknown) => error)
  if (!(error instanceof HookFailure)) throw new Error('no HookFailure', { cause: error })
  return error.kind
}

t.test('it posts the body and resolves with the whole response', async t => {
  const seen: Array<{ method?: string, url?: string, type?: string, body: string }> = []
  const { url } = await http(t, async (request, response) => {
    const body = await read(request)
    seen.push({ method: request.method, url: request.url, type: request.headers['content-type'], body })
    response.write('first ')
    response.write('second ')
    response.end('third')
  })
  const answer = await transport(t).post(request(url, { headers: { 'content-type': 'application/protobuf' } }))
  t.equal(answer.toString(), 'first second third')
  t.same(seen, [{ method: 'POST', url: '/auth', type: 'application/protobuf', body: 'question' }])
})

t.test('a path of the base URL stays, with or without slashes at its end', async t => {
  const { url } = await http(t, (request, response) => response.end(request.url))
  const it = transport(t)
  const paths = {
    '': '/auth',
    '/': '/auth',
    '/a/b': '/a/b/auth',
    '/a/b/': '/a/b/auth',
    '/a//': '/a/auth',
    '/ä': '/%C3%A4/auth',
  }
  for (const [base, path] of Object.entries(paths)) {
    t.equal((await it.post(request(url + base))).toString(), path)
  }
})

t.test('calls one after another share connections', async t => {
  const { url, connections } = await http(t, (_, response) => response.end())
  const it = transport(t)
  for (let i = 0; i < 20; i++) await it.post(request(url))
  // Two, because undici has not yet taken the first one back when it hands out the answer.
  t.ok(connections() <= 2, `${connections()} connections`)
})

t.test('a slow answer is a timeout, and its connection is closed', async t => {
  const { url, allClosed } = await http(t, () => {})
  const it = transport(t)
  t.equal(await failure(it.post(request(url, { timeoutMs: 50 }))), 'timeout')
  await allClosed()
})

t.test('a body that keeps dripping is a timeout', async t => {
  const { url, allClosed } = await http(t, (_, response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 5)
    response.on('close', () => clearInterval(drip))
  })
  t.equal(await failure(transport(t).post(request(url, { timeoutMs: 60 }))), 'timeout')
  await allClosed()
})

t.test('a server that takes the connection and never says a word is a timeout', async t => {
  const { url, allClosed } = await listen(t, createTcpServer(socket => socket.resume()))
  t.equal(await failure(transport(t).post(request(url, { timeoutMs: 50 }))), 'timeout')
  await allClosed()
})

t.test('an answer that came while this process was stalled is not late', async t => {
  // Another thread, which goes on while this one stands still.
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(`
    const { parentPort, workerData } = require('node:worker_threads')
    const server = require('node:http').createServer((request, response) => response.end('answer', () => {
      Atomics.add(workerData, 0, 1)
      Atomics.notify(workerData, 0)
    }))
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))
  `, { eval: true, workerData: answered })
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message') as [number]
  const it = transport(t)
  await it.post(request(`http://127.0.0.1:${port}`))
  await nextTurn()
  const answer = it.post(request(`http://127.0.0.1:${port}`, { timeoutMs: 20 }))
  await nextTurn()
  Atomics.wait(answered, 0, 1, LONG_MS)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  t.equal((await answer).toString(), 'answer')
})

t.test('a slow call holds up no other', async t => {
  const { url } = await http(t, (request, response) => {
    if (request.url === '/quick') response.end('answer')
  })
  const it = transport(t)
  const slow = Array.from({ length: 50 }, () => failure(it.post(request(url, { operation: 'slow' }))))
  t.equal((await it.post(request(url, { operation: 'quick' }))).toString(), 'answer')
  await it.close()
  t.ok((await Promise.all(slow)).every(kind => kind === 'network'))
})

t.test('a body without end is too large, and is not read on', async t => {
  const { url, allClosed } = await http(t, (_, response) => {
    response.writeHead(200)
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16_384)));
    }
    response.on('drain', more)
    more()
  })
  t.equal(await failure(transport(t).post(request(url))), 'too_large')
  await allClosed()
})

t.test('a body may be exactly as large as allowed', async t => {
  const { url } = await http(t, (request, response) => response.end(Buffer.alloc(Number(request.url?.slice(1)))))
  const it = transport(t)
  t.equal((await it.post(request(url, { operation: '1024' }))).length, 1024)
  t.equal(await failure(it.post(request(url, { operation: '1025' }))), 'too_large')
})

t.test('only 2xx is an answer', async t => {
  const { url } = await http(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1)), { location: '/200' }).end('text')
  })
  const it = transport(t)
  t.equal((await it.post(request(url, { operation: '200' }))).toString(), 'text')
  t.equal((await it.post(request(url, { operation: '201' }))).toString(), 'text')
  t.equal((await it.post(request(url, { operation: '204' }))).length, 0)
  for (const status of ['301', '302', '304', '400', '404', '429', '500', '503']) {
    t.equal(await failure(it.post(request(url, { operation: status }))), 'status', status)
  }
})

t.test('an interim response is not the answer', async t => {
  const { url } = await http(t, (_, response) => {
    response.writeProcessing()
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.end('answer')
  })
  t.equal((await transport(t).post(request(url))).toString(), 'answer')
})

t.test('a refused connection is a network failure', async t => {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  t.equal(await failure(transport(t).post(request(`http://127.0.0.1:${port}`))), 'network')
})

t.test('a connection that breaks within the answer is a network failure', async t => {
  const { url } = await http(t, (_, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('not all', () => response.destroy())
  })
  t.equal(await failure(transport(t).post(request(url))), 'network')
})

t.test('an answer that is not HTTP is a network failure', async t => {
  const { url } = await listen(t, createTcpServer(socket => socket.once('data', () => socket.end('what?\r\n\r\n'))))
  t.equal(await failure(transport(t).post(request(url))), 'network')
})

t.test('a server may close its connections between calls', async t => {
  const sockets: Socket[] = []
  const { url } = await http(t, (request, response) => {
    sockets.push(request.socket)
    response.end('answer')
  })
  const it = transport(t)
  for (let i = 0; i < 3; i++) {
    t.equal((await it.post(request(url))).toString(), 'answer')
    // Closed on both sides: the next call knows.
    sockets[i].end()
    await gone(sockets[i])
  }
  t.equal(new Set(sockets).size, 3)
})

t.test('close ends what is under way and leaves no connection', async t => {
  const { url, allClosed, connections } = await http(t, (request, response) => {
    if (request.url === '/quick') response.end('answer')
    else underWay()
  })
  let underWay = (): void => {}
  const arrived = new Promise<void>(resolve => { underWay = resolve })
  const it = new HookTransport()
  await it.post(request(url, { operation: 'quick' }))
  const slow = failure(it.post(request(url, { operation: 'slow' })))
  await arrived
  await it.close()
  t.equal(await slow, 'network')
  await allClosed()
  t.ok(connections() > 0)
})

t.test('a hook that moves on and on leaves no connections behind', async t => {
  const { url, allClosed } = await http(t, (_, response) => response.end())
  const it = new HookTransport()
  for (let i = 0; i < 10; i++) await it.post(request(`${url}/${i}`))
  await it.close()
  await allClosed()
  t.pass('all connections are closed')
})

async function read (request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
