/**
 * The nodes that this tab may connect to, and whose turn it is: every tab starts on another one, and every reconnect
 * goes to the next. With a single node, the one that the page came from, `all` is empty.
 */
export class Nodes {
  /** @type {{ nodeId: string, port: number }[]} */
  all
  #turn

  constructor (all, first) {
    this.all = all
    this.#turn = first
  }

  static async load () {
    const { nodes, first } = await fetchNodes()
    // Where the page came by another port there is something in between, which knows nothing of the others' ports.
    const isDirect = nodes.some(({ port }) => String(port) === location.port)
    return new Nodes(isDirect ? nodes : [], first)
  }

  /** The name of the one whose turn it is; empty where there is only one. */
  get current () {
    return this.all[this.#turn]?.nodeId ?? ''
  }

  /** Where that one takes WebSockets, as the SDK's client wants it. */
  get url () {
    const url = new URL(location.href)
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:'
    if (this.all.length > 0) url.port = String(this.all[this.#turn].port)
    return url.origin
  }

  next () {
    if (this.all.length > 0) this.#turn = (this.#turn + 1) % this.all.length
  }

  choose (nodeId) {
    this.#turn = this.all.findIndex(node => node.nodeId === nodeId)
  }
}

async function fetchNodes () {
  try {
    return await (await fetch('nodes.json')).json()
  } catch {
    return { nodes: [], first: 0 } // the node went away just now: connecting will say so, and try again
  }
}
