import { decodeServerFrame, encodeClientFrame } from './frames.js'
import { explainClose } from './close-codes.js'

const firstBackoffMs = 500
const maxBackoffMs = 30_000
/** A connection that held this long was a good one: the next backoff starts small again. */
const stableAfterMs = 10_000
/** Two heartbeats unanswered and a half: the other end is gone, whatever the socket says. */
const silenceLimitMs = 25_000

/**
 * One person's connection to the gateway, kept up for as long as the close codes allow.
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
  #on
  #socket
  #attempt = 0
  #connectedAt = 0
  #heardAt = 0
  #retryTimer
  #worker

  /**
   * @param {{ userId: string, deviceId: string,
   *   onState: (state: State) => void,
   *   onFrame: (frame: import('./frames.js').Frame) => void,
   *   onTraffic: (entry: { direction: 'in' | 'out' | 'note', frame?: any, text?: string, size?: number }) => void
   * }} options onTraffic sees everything that crosses the wire, except the token.
   */
  constructor ({ userId, deviceId, onState, onFrame, onTraffic }) {
    this.#userId = userId
    this.#deviceId = deviceId
    this.#on = { state: onState, frame: onFrame, traffic: onTraffic }
  }

  /** Connects now, whatever wait was left. */
  open () {
    if (this.state.name === 'connecting' || this.state.name === 'connected') return
    clearTimeout(this.#retryTimer)
    this.#worker ??= this.#startHeartbeat()
    this.#become({ name: 'connecting' })

    const url = new URL('/ws', location.href)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    url.search = new URLSearchParams({ tenantId: 'demo', deviceId: this.#deviceId }).toString()
    this.#on.traffic({ direction: 'note', text: `connecting to ${url.pathname}${url.search}` })

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
    this.#worker?.terminate()
    this.#worker = undefined
    this.#dropSocket(1000)
    this.#become({ name: 'offline' })
  }

  /** @returns {boolean} whether the frame went out; only a connection that is acknowledged takes any. */
  send (frame) {
    if (this.state.name !== 'connected') return false
    const bytes = encodeClientFrame(frame)
    this.#socket.send(bytes)
    this.#on.traffic({ direction: 'out', frame, size: bytes.length })
    return true
  }

  #receive (data) {
    this.#heardAt = Date.now()
    const bytes = new Uint8Array(data)
    let frame
    try {
      frame = decodeServerFrame(bytes)
    } catch (error) {
      this.#on.traffic({ direction: 'note', text: `a frame that is no ServerFrame: ${error.message}`, size: bytes.length })
      return
    }
    this.#on.traffic({ direction: 'in', frame, size: bytes.length })
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
    this.#on.traffic({ direction: 'note', text: `closed with ${code}: ${reason}` })
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
    this.#on.traffic({ direction: 'note', text: 'closed by this page' })
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
