import { MicsClient } from './mics-client.js'
import { closeCodes, decodeClientFrame, decodeServerFrame } from './mics-protocol.js'

/**
 * One person's connection to the gateway: the client of the SDK on the demo's nodes, with a log of what goes by. After
 * a connection has ended it is the next node's turn.
 */
export class Connection {
  #client
  #nodes
  #onTraffic
  /** The node that frames come from; empty where there is only one. */
  #node = ''

  /**
   * @param {{ userId: string, deviceId: string, nodes: import('./nodes.js').Nodes,
   *   onState: (state: object) => void,
   *   onMessage: (message: object) => void,
   *   onTraffic: (entry: { direction: 'in' | 'out' | 'note', frame?: any, text?: string, size?: number,
   *     node: string }) => void
   * }} options onState and onMessage get what the SDK's client tells; onTraffic sees everything that crosses the wire,
   *   except the token.
   */
  constructor ({ userId, deviceId, nodes, onState, onMessage, onTraffic }) {
    this.#nodes = nodes
    this.#onTraffic = onTraffic
    const client = new MicsClient({
      url: () => nodes.url,
      tenantId: 'demo',
      deviceId,
      token: `valid:${userId}`,
      // The page shows what waits, so that it may wait for as long as it takes.
      sendTimeoutMs: Infinity,
    })
    client.on('frame', (direction, bytes) => this.#logFrame(direction, bytes))
    client.on('error', ({ message }) => this.#note(message))
    client.on('state', state => onState(this.#follow(state)))
    client.on('message', onMessage)
    this.#client = client
  }

  get isConnected () {
    return this.#client.state.name === 'connected'
  }

  /** Away until open(): the person wants it, or the gateway said not to come back. */
  get isAway () {
    return ['offline', 'closed'].includes(this.#client.state.name)
  }

  /** The node that the latest frame came from; empty where there is only one. */
  get node () {
    return this.#node
  }

  /** Connects now, whatever wait was left. */
  open () {
    if (this.#client.state.name === 'waiting') this.#client.reconnect()
    else this.#client.connect()
  }

  /** Hangs up and stays away until open(). */
  close () {
    if (['connecting', 'connected'].includes(this.#client.state.name)) this.#nodes.next()
    this.#client.close()
  }

  /** Connects to that node now, and leaves the one it is connected to. */
  moveTo (nodeId) {
    if (this.isConnected && this.#nodes.current === nodeId) return
    if (this.isConnected) this.#note('closed by this page')
    this.#nodes.choose(nodeId)
    if (this.isAway) this.#client.connect()
    else this.#client.reconnect()
  }

  /** Resolves with the gateway's answer, whenever it comes. Rejects as the SDK's client does. */
  async send (message) {
    return await this.#client.send(message)
  }

  /** Notes where the connection has got to, and gives its reasons words. */
  #follow (state) {
    if (state.name === 'connecting' && state.url !== '') this.#note(`connecting to ${state.url}`)
    if (state.name === 'offline') this.#note('closed by this page')
    if (state.name !== 'waiting' && state.name !== 'closed') return state
    const reason = explanation(closeCodes[state.code]?.meaning ?? 'unexpected close', state.reason)
    this.#note(`closed with ${state.code}: ${reason}`)
    this.#nodes.next()
    return { ...state, reason }
  }

  #logFrame (direction, bytes) {
    let frame
    try {
      frame = direction === 'in' ? decodeServerFrame(bytes) : decodeClientFrame(bytes)
    } catch {
      return // the client tells of it by an error
    }
    if (frame?.case === 'connectAck') this.#node = this.#nodes.current
    this.#onTraffic({ direction, frame, size: bytes.length, node: this.#node })
  }

  #note (text) {
    this.#onTraffic({ direction: 'note', text, node: this.#nodes.current })
  }
}

/** The gateway's own words beside the table's, unless they say the same. */
function explanation (meaning, closeReason) {
  if (meaning.startsWith(closeReason)) return meaning
  return closeReason.startsWith(meaning) ? closeReason : `${meaning} (${closeReason})`
}
