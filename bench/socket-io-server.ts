/**
 * What the gateway is compared with: the obvious Socket.IO server for chats, as its documentation teaches it. A user is
 * a room, a group is a room that its members join when they connect, and each message is acked by callback. Prints its
 * URL as its first line.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'

interface Message {
  /** A user, or else `group`. */
  to?: string
  group?: string
  id: string
  body: string
}

const http = createServer()
const io = new Server(http, { transports: ['websocket'], serveClient: false })

io.use((socket, next) => {
  const { token } = socket.handshake.auth
  if (typeof token !== 'string' || !token.startsWith('valid:')) return next(new Error('invalid token'))
  socket.data.userId = token.replace('valid:', '')
  next()
})

io.on('connection', socket => {
  const userId: string = socket.data.userId
  socket.join(`user:${userId}`)
  // What a database would know: users g1000-0 to g1000-999 are the members of group g1000.
  const [, group] = /^(g\d+)-\d+$/.exec(userId) ?? []
  if (group !== undefined) socket.join(`group:${group}`)

  socket.on('message', (message: Message, ack: (answer: { ok: boolean }) => void) => {
    const delivery = { ...message, from: userId }
    // A group's message comes to all members but the sender, as with the gateway.
    if (message.group !== undefined) socket.to(`group:${message.group}`).emit('message', delivery)
    else io.to(`user:${message.to}`).emit('message', delivery)
    ack({ ok: true })
  })
})

http.listen(0, '127.0.0.1', 4096, () => console.log(`http://127.0.0.1:${(http.address() as AddressInfo).port}`))
