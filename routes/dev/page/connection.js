import { decodeServerFrame, encodeClientFrame } from './frames.js'
import { explainClose } from './close-codes.js'

const firstBackoffMs = 500
const maxBackoffMs = 30_000
/** A connection that held this long was a good one: the next backoff starts small again. */
const stableAfterMs = 10_000
/** Two heartbeats unanswered and a half: the other end is gone, whatever the socket says. */
const silenceLimitMs = 25_000

/**
 * One person's connection to the gateway, kept up for as long as the close codes allow. After a connection has ended
 * it is the next node's turn.
 *
 * @typedef {{ name: 'offline' }
 *   | { name: 'connecting' }
 *   | { name: 'connected', nodeId: string, traceId: string }
 *   | { name: 'waiting', retryAt: number, code: number, reason: string }
 *   | { name: 'closed', code: number, reason: string }} State
 *   offline: because the person wants it; closed: because the gateway said do not come back.
 */
export class Connection {
  /** @type {State} */
  state = { name: 'offline' }
  #userId
  #deviceId
  #nodes
  #on
  #socket
  #attempt = 0
  #connectedAt = 0
  #heardAt = 0
  #retryTimer
  #worker

  /**
   * @param {{ userId: string, deviceId: string, nodes: import('./nodes.js').Nodes,
   *   onState: (state: State) => void,
   *   onFrame: (frame: import('./frames.js').Frame) => void,
   *   onTraffic: (entry: { direction: 'in' | 'out' | 'note', frame?: any, text?: string, size?: number,
   *     node: string }) => void
   * }} options onTraffic sees everything that crosses the wire, except the token.
   */
  constructor ({ userId, deviceId, nodes, onState, onFrame, onTraffic }) {
    this.#userId = userId
    this.#deviceId = deviceId
    this.#nodes = nodes
    this.#on = { state: onState, frame: onFrame, traffic: onTraffic }
  }

  /** Connects now, whatever wait was left. */
  open () {
    if (this.state.name === 'connecting' || this.state.name === 'connected') return
    clearTimeout(this.#retryTimer)
    // Kept while offline: by then the node that it was loaded from may be gone.
    this.#worker ??= this.#startHeartbeat()
    this.#become({ name: 'connecting' })

    const { url } = this.#nodes
    url.search = new URLSearchParams({ tenantId: 'demo', deviceId: this.#deviceId }).toString()
    this.#note(`connecting to ${url.pathname}${url.search}`)

    // The token travels as a subprotocol, which stays out of access logs where a query string would not.
    const token = base64url(`valid:${this.#userId}`)
    const socket = new WebSocket(url, ['mics.v1', `mics.token.${token}`])
    socket.binaryType = 'arraybuffer'
    socket.onmessage = ({ data }) => this.#receive(data)
    socket.onclose = ({ code, reason }) => this.#closed(code, reason)
    this.#socket = socket
    this.#heardAt = Date.now()
  }

  /** Hangs up and stays away until open(). */
  close () {
    clearTimeout(this.#retryTimer)
    this.#attempt = 0
    this.#dropSocket(1000)
    this.#nodes.next()
    this.#become({ name: 'offline' })
  }

  /** Connects to that node now, and leaves the one it is connected to. */
  moveTo (nodeId) {
    if (this.state.nodeId === nodeId) return
    this.close()
    this.#nodes.choose(nodeId)
    this.open()
  }

  /** @returns {boolean} whether the frame went out; only a connection that is acknowledged takes any. */
  send (frame) {
    if (this.state.name !== 'connected') return false
    const bytes = encodeClientFrame(frame)
    this.#socket.send(bytes)
    this.#traffic({ direction: 'out', frame, size: bytes.length })
    return true
  }

  #receive (data) {
    this.#heardAt = Date.now()
    const bytes = new Uint8Array(data)
    let frame
    try {
      frame = decodeServerFrame(bytes)
    } catch (error) {
      this.#note(`a frame that is no ServerFrame: ${error.message}`, bytes.length)
      return
    }
    this.#traffic({ direction: 'in', frame, size: bytes.length })
    if (frame === undefined) return
    if (frame.case === 'connectAck') {
      this.#connectedAt = Date.now()
      this.#become({ name: 'connected', nodeId: frame.value.nodeId, traceId: frame.value.traceId })
    }
    this.#on.frame(frame)
  }

  #closed (code, closeReason) {
    this.#socket = undefined
    const { meaning, reconnect } = explainClose(code)
    const reason = explanation(meaning, closeReason)
    this.#note(`closed with ${code}: ${reason}`)
    this.#nodes.next()
    if (!reconnect) {
      this.#become({ name: 'closed', code, reason })
      return
    }
    if (this.state.name === 'connected' && Date.now() - this.#connectedAt >= stableAfterMs) this.#attempt = 0
    // Full jitter: after a node fails, its clients come back spread over the whole wait instead of all at once.
    const longest = Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#attempt++)
    const wait = Math.random() * longest
    this.#retryTimer = setTimeout(() => this.open(), wait)
    this.#become({ name: 'waiting', retryAt: Date.now() + wait, code, reason })
  }

  #startHeartbeat () {
    const worker = new window.Worker(new URL('./heartbeat-timer.js', import.meta.url))
    worker.onmessage = () => this.#beat()
    return worker
  }

  #beat () {
    if (this.#socket === undefined) return
    if (Date.now() - this.#heardAt > silenceLimitMs) {
      // A close handshake with nobody takes long: let go of the socket and count it as broken.
      this.#dropSocket()
      this.#closed(1006, 'no answer to heartbeats')
      return
    }
    this.send({ case: 'heartbeatPing', value: { timestampMs: Date.now() } })
  }

  #dropSocket (code) {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) return
    socket.onmessage = socket.onclose = null
    socket.close(code)
    this.#note('closed by this page')
  }

  #note (text, size) {
    this.#traffic({ direction: 'note', text, size })
  }

  #traffic (entry) {
    this.#on.traffic({ ...entry, node: this.#nodes.current })
  }

  #become (state) {
    this.state = state
    this.#on.state(state)
  }
}

/** The gateway's own words beside the table's, unless they say the same. */
function explanation (meaning, closeReason) {
  if (meaning.startsWith(closeReason)) return meaning
  return closeReason.startsWith(meaning) ? closeReason : `${meaning} (${closeReason})`
}

function base64url (text) {
  const bytes = new TextEncoder().encode(text)
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
