import { WebSocket } from 'ws'
import type { Transport } from './transport.js'

/** Milliseconds for the upgrade. The client's `connectTimeoutMs` holds as well. */
const UPGRADE_MS = 30_000

/** WebSockets of Node.js, by `ws`. */
export function nodeTransport (): Transport {
  return {
    open: (url, protocols, { onOpen, onMessage, onClose }) => {
      // The gateway does not negotiate compression.
      const ws = new WebSocket(url, protocols, { perMessageDeflate: false, handshakeTimeout: UPGRADE_MS })
      let problem = ''
      ws.on('error', ({ message }) => { problem = message })
      ws.on('open', onOpen)
      ws.on('message', (data: Buffer, isBinary) => onMessage(isBinary ? data : data.toString()))
      ws.on('close', (code, reason) => onClose(code, reason.toString() || problem))
      return {
        // Where the connection has just ended there is an error, which its close tells as well.
        send: data => ws.send(data, () => {}),
        bufferedBytes: () => ws.bufferedAmount,
        close: (code, reason) => ws.close(code, reason),
        terminate: () => ws.terminate(),
      }
    },
  }
}
