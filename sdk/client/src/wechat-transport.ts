import type { Socket, SocketEvents, Transport } from './transport.js'
import type { WechatApi, WechatError, WechatSocketTask } from './wechat-api.js'

const NORMAL = 1000

/** WebSocket's own code for a connection that broke, or could not be made. */
const BROKEN = 1006

/** A whole office is back in one moment: milliseconds over which its clients spread. */
const ONLINE_SPREAD_MS = 1000

/**
 * WebSockets of a WeChat mini program, by `wx`; and when it is time to look after the connection: the mini program is
 * shown again, or the network has changed. A mini program may have 5 sockets at once; the client takes one, and for a
 * moment two where a connection that died is still being closed.
 */
export function wechatTransport (wx: WechatApi): Transport {
  return {
    open: (url, protocols, events) => open(wx, url, protocols, events),
    onWake: listener => onWake(wx, listener),
  }
}

function open (wx: WechatApi, url: string, protocols: string[], events: SocketEvents): Socket {
  let task: WechatSocketTask | undefined
  let isOver = false
  let isClosing = false

  function end (code: number, reason: string): void {
    if (isOver) return
    isOver = true
    events.onClose(code, reason)
  }

  /** Not at once: an error may come while `open` or `send` is still being called, and `onClose` never comes then. */
  function fail (error: unknown): void {
    Promise.resolve().then(() => {
      const wasOver = isOver
      end(BROKEN, reasonOf(error))
      if (!wasOver) giveUp()
    })
  }

  /** Without it a socket that nobody uses any more would count as one of the 5. */
  function giveUp (): void {
    try {
      task?.close({ code: NORMAL, fail: () => {} })
    } catch {
      // It has ended by itself, or has not begun: then there is nothing to close.
    }
  }

  try {
    task = wx.connectSocket({ url, protocols, fail })
  } catch (error) {
    fail(error)
  }
  if (task === undefined) {
    fail({ errMsg: 'wx.connectSocket gave no socket' })
  } else {
    // What was given up while it was still connecting may open all the same.
    task.onOpen(() => isOver ? giveUp() : events.onOpen())
    task.onMessage(({ data }) => {
      if (!isOver) events.onMessage(typeof data === 'string' ? data : new Uint8Array(data))
    })
    task.onClose(({ code, reason }) => {
      // 1000 is the answer to a client that closes. Unasked it is the phone that ended the connection by itself.
      end(code === NORMAL && !isClosing ? BROKEN : code ?? BROKEN, reason ?? '')
    })
    // A connection that could not be made, or that broke: not on every phone does `onClose` follow.
    task.onError(fail)
  }

  return {
    send (bytes) {
      if (isOver) return
      // A frame that was not sent would be missed by nobody: as the end of the connection it is sent again.
      task?.send({ data: exactBuffer(bytes), fail })
    },
    close (code, reason) {
      isClosing = true
      task?.close({ code, reason, fail })
    },
    terminate () {
      fail({ errMsg: '' })
    },
  }
}

function onWake (wx: WechatApi, listener: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOver = false
  const onAppShow = (): void => {
    if (!isOver) listener()
  }
  const onNetworkStatusChange = ({ isConnected }: { isConnected: boolean }): void => {
    if (isOver) return
    clearTimeout(timer)
    if (isConnected) timer = setTimeout(listener, Math.random() * ONLINE_SPREAD_MS)
    else listener()
  }
  wx.onAppShow(onAppShow)
  wx.onNetworkStatusChange(onNetworkStatusChange)
  return () => {
    // Older base libraries cannot take a listener back.
    isOver = true
    clearTimeout(timer)
    wx.offAppShow?.(onAppShow)
    wx.offNetworkStatusChange?.(onNetworkStatusChange)
  }
}

/** `wx` sends the whole buffer, whatever part of it the bytes are. */
function exactBuffer (bytes: Uint8Array): ArrayBuffer {
  const buffer = bytes.buffer as ArrayBuffer
  return bytes.length === buffer.byteLength ? buffer : buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
}

function reasonOf (error: unknown): string {
  return (error as WechatError | undefined)?.errMsg ?? String(error)
}
