import type { Socket } from 'node:net'
import type { TestClient } from './client.js'

/** What `send` sends leaves as one write, so that the gateway reads it in one piece (up to 64 KiB of it). */
export function atOnce (client: TestClient, send: () => void): void {
  const socket = (client.ws as unknown as { _socket: Socket })._socket
  socket.cork()
  send()
  socket.uncork()
}
