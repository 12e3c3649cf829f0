import t from 'tap'
import {
  wechatTransport, type WechatApi, type WechatConnectOptions, type WechatError, type WechatSocketTask,
} from '../../../sdk/client/src/wechat.js'
import type { Socket } from '../../../sdk/client/src/transport.js'

// What phones do that a well-behaved server and network do not bring about: each test plays `wx` by hand.

class Task implements WechatSocketTask {
  readonly sent: Parameters<WechatSocketTask['send']>[0][] = []
  readonly closes: Parameters<WechatSocketTask['close']>[0][] = []
  open: () => void = () => {}
  closed: (event: { code: number, reason: string }) => void = () => {}
  error: (error: WechatError) => void = () => {}
  message: (event: { data: string | ArrayBuffer }) => void = () => {}

  send (options: Parameters<WechatSocketTask['send']>[0]): void { this.sent.push(options) }
  close (options: Parameters<WechatSocketTask['close']>[0]): void { this.closes.push(options) }
  onOpen (listener: () => void): void { this.open = listener }
  onClose (listener: (event: { code: number, reason: string }) => void): void { this.closed = listener }
  onError (listener: (error: WechatError) => void): void { this.error = listener }
  onMessage (listener: (event: { data: string | ArrayBuffer }) => void): void { this.message = listener }
}

/** A transport's socket, what it told, and the `wx` under it. */
function opened (connectSocket?: (options: WechatConnectOptions) => WechatSocketTask | undefined) {
  const task = new Task()
  const told: string[] = []
  let connect: WechatConnectOptions | undefined
  let hasReturned = false
  const tell = (what: string): void => { told.push(hasReturned ? what : `too early: ${what}`) }
  const wx = {
    connectSocket: (options: WechatConnectOptions) => {
      connect = options
      return connectSocket === undefined ? task : connectSocket(options)
    },
  } as WechatApi
  const socket: Socket = wechatTransport(wx).open('wss://im.example.com/ws', ['mics.v1', 'mics.token.eA'], {
    onOpen: () => tell('open'),
    onMessage: data => tell(typeof data === 'string' ? `text ${data}` : `bytes ${[...data].join(' ')}`),
    onClose: (code, reason) => tell(`close ${code} ${reason}`),
  })
  hasReturned = true
  return { task, told, socket, connect }
}

/** What was put off until now has happened. */
const settled = async (): Promise<void> => await new Promise(resolve => setImmediate(resolve))

t.test('it connects with the protocols, and hands on what arrives, and the end with its code', async t => {
  const { task, told, connect } = opened()
  t.match(connect, { url: 'wss://im.example.com/ws', protocols: ['mics.v1', 'mics.token.eA'] })
  task.open()
  task.message({ data: new Uint8Array([1, 2]).buffer })
  task.message({ data: 'x' })
  task.closed({ code: 4001, reason: 'invalid token' })
  t.strictSame(told, ['open', 'bytes 1 2', 'text x', 'close 4001 invalid token'])
})

t.test('the end is told once, and nothing after it', async t => {
  const { task, told } = opened()
  task.open()
  task.closed({ code: 4200, reason: '' })
  task.closed({ code: 1006, reason: '' })
  task.error({ errMsg: 'late' })
  task.message({ data: 'late' })
  await settled()
  t.strictSame(told, ['open', 'close 4200 '])
})

t.test('a connection that is not even tried ends with the words of the error, and never before open has returned', async t => {
  const failing = opened(({ fail }) => {
    fail?.({ errMsg: 'connectSocket:fail url not in domain list' })
    return undefined
  })
  const throwing = opened(() => { throw new Error('no permission') })
  const withoutTask = opened(() => undefined)
  await settled()
  t.strictSame(failing.told, ['close 1006 connectSocket:fail url not in domain list'])
  t.strictSame(throwing.told, ['close 1006 Error: no permission'])
  t.strictSame(withoutTask.told, ['close 1006 wx.connectSocket gave no socket'])
  for (const { socket } of [failing, throwing, withoutTask]) {
    socket.send(new Uint8Array(1))
    socket.close(1000, '')
    socket.terminate()
  }
  await settled()
  t.equal(withoutTask.told.length, 1)
})

t.test('an error that no close follows is the end, and gives the socket back', async t => {
  const { task, told } = opened()
  task.error({ errMsg: 'connection reset' })
  await settled()
  t.strictSame(told, ['close 1006 connection reset'])
  t.equal(task.closes.length, 1)
})

t.test('of an error and the close that follows, the close says why', async t => {
  const { task, told } = opened()
  task.open()
  task.error({ errMsg: 'connection reset' })
  task.closed({ code: 4503, reason: 'no redis' })
  await settled()
  t.strictSame(told, ['open', 'close 4503 no redis'])
})

t.test('a frame that could not be sent is the end: as part of a connection it will be sent again', async t => {
  const { task, told, socket } = opened()
  task.open()
  socket.send(new Uint8Array([1]))
  task.sent[0].fail?.({ errMsg: 'sendSocketMessage:fail interrupted' })
  await settled()
  t.strictSame(told, ['open', 'close 1006 sendSocketMessage:fail interrupted'])
})

t.test('what is sent is the bytes alone, not the buffer that they are a part of', async t => {
  const { task, socket } = opened()
  const whole = new Uint8Array([1, 2, 3])
  socket.send(whole)
  socket.send(new Uint8Array([0, 7, 8, 0]).subarray(1, 3))
  t.equal(task.sent[0].data, whole.buffer, 'without a copy where it is the same')
  t.ok(task.sent[1].data instanceof ArrayBuffer)
  t.strictSame([...new Uint8Array(task.sent[1].data as ArrayBuffer)], [7, 8])
})

t.test('a close is asked for, and told when it is through', async t => {
  const { task, told, socket } = opened()
  task.open()
  socket.close(1000, 'bye')
  t.match(task.closes, [{ code: 1000, reason: 'bye' }])
  t.strictSame(told, ['open'])
  task.closed({ code: 1000, reason: '' })
  t.strictSame(told, ['open', 'close 1000 '])
})

t.test('a close that fails is the end', async t => {
  const { task, told, socket } = opened()
  socket.close(1000, '')
  task.closes[0].fail?.({ errMsg: 'closeSocket:fail' })
  await settled()
  t.strictSame(told, ['close 1006 closeSocket:fail'])
})

t.test('1000 that nobody asked for counts as a connection that broke, and so does no code at all', async t => {
  const unasked = opened()
  unasked.task.closed({ code: 1000, reason: 'interrupted' })
  const bare = opened()
  bare.task.closed({} as { code: number, reason: string })
  t.strictSame([...unasked.told, ...bare.told], ['close 1006 interrupted', 'close 1006 '])
})

t.test('terminate ends it without waiting for an answer, and closes what opens later all the same', async t => {
  const { task, told, socket } = opened()
  socket.terminate()
  t.strictSame(told, [], 'not before terminate has returned')
  await settled()
  t.strictSame(told, ['close 1006 '])
  t.match(task.closes, [{ code: 1000 }])
  task.open()
  t.equal(task.closes.length, 2)
  t.strictSame(told, ['close 1006 '])
})

t.test('it wakes the client when the app is shown and when the network changes, until told to stop', async t => {
  for (const isOld of [false, true]) {
    const shows = new Set<() => void>()
    const networks = new Set<(status: { isConnected: boolean }) => void>()
    const wx = {
      onAppShow: listener => { shows.add(listener) },
      onNetworkStatusChange: listener => { networks.add(listener) },
    } as WechatApi
    if (!isOld) {
      wx.offAppShow = listener => { shows.delete(listener) }
      wx.offNetworkStatusChange = listener => { networks.delete(listener) }
    }
    let wakes = 0
    let woken = (): void => {}
    const stop = wechatTransport(wx).onWake?.(() => {
      wakes++
      woken()
    })
    const everywhere = (isConnected: boolean): void => {
      for (const show of shows) show()
      for (const change of networks) change({ isConnected })
    }
    everywhere(false)
    t.equal(wakes, 2, 'at once for both: offline is a reason to look')
    const online = new Promise<void>(resolve => { woken = resolve })
    for (const change of networks) change({ isConnected: true })
    t.equal(wakes, 2, 'not at once: others are back online in the same moment')
    await online
    everywhere(true)
    stop?.()
    const before = wakes
    everywhere(false)
    t.equal(wakes, before)
    t.equal(shows.size + networks.size, isOld ? 2 : 0)
  }
})
