import { workerTimer } from './worker-timer.js'
import type { Socket, SocketEvents, Transport } from './transport.js'

/** As much of a browser as the client uses. A worker has no document, and React Native no events of a window. */
interface Browser {
  WebSocket: new (url: string, protocols: string[]) => NativeSocket
  document?: EventSource & { visibilityState: string }
}

interface EventSource {
  addEventListener? (type: string, listener: () => void): void
  removeEventListener? (type: string, listener: () => void): void
}

interface NativeSocket {
  binaryType: string
  bufferedAmount: number
  onopen: (() => void) | null
  onmessage: ((event: { data: ArrayBuffer | string }) => void) | null
  onclose: ((event: { code: number, reason: string }) => void) | null
  send (data: Uint8Array): void
  close (code?: number, reason?: string): void
}

/** WebSocket's own code for a connection that broke, or could not be made. */
const BROKEN = 1006

/** A whole office is back in one moment: milliseconds over which its clients spread. */
const ONLINE_SPREAD_MS = 1000

/** WebSockets of a browser; heartbeats that go on in hidden tabs; and when it is time to look after the connection. */
export function browserTransport (): Transport {
  return { open, onWake, every: workerTimer }
}

function open (url: string, protocols: string[], { onOpen, onMessage, onClose }: SocketEvents): Socket {
  const { WebSocket } = globalThis as unknown as Browser
  let ws: NativeSocket
  try {
    ws = new WebSocket(url, protocols)
  } catch (error) {
    // The browser allows no such connection, as from an https page to ws://.
    setTimeout(() => onClose(BROKEN, String(error)))
    return { send: () => {}, close: () => {}, terminate: () => {} }
  }
  ws.binaryType = 'arraybuffer'
  ws.onopen = onOpen
  ws.onmessage = ({ data }) => onMessage(typeof data === 'string' ? data : new Uint8Array(data))
  ws.onclose = ({ code, reason }) => onClose(code, reason)
  return {
    send: data => ws.send(data),
    bufferedBytes: () => ws.bufferedAmount,
    close: (code, reason) => ws.close(code, reason),
    terminate: () => {
      // A browser cannot: it waits for an answer that may never come. Nobody listens to it any more.
      ws.onopen = ws.onmessage = ws.onclose = null
      ws.close()
      setTimeout(() => onClose(BROKEN, ''))
    },
  }
}

function onWake (listener: () => void): () => void {
  const { document } = globalThis as unknown as Browser
  const window = globalThis as unknown as EventSource
  let timer: ReturnType<typeof setTimeout> | undefined
  const whenOnline = (): void => {
    clearTimeout(timer)
    timer = setTimeout(listener, Math.random() * ONLINE_SPREAD_MS)
  }
  const whenVisible = (): void => { if (document?.visibilityState === 'visible') listener() }
  const listeners: Array<[EventSource | undefined, string, () => void]> = [
    [window, 'online', whenOnline],
    [window, 'offline', listener],
    [window, 'pageshow', listener],
    [document, 'visibilitychange', whenVisible],
  ]
  for (const [source, type, listener] of listeners) source?.addEventListener?.(type, listener)
  return () => {
    clearTimeout(timer)
    for (const [source, type, listener] of listeners) source?.removeEventListener?.(type, listener)
  }
}
