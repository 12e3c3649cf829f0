import { Client } from '../client.js'

/** What the gateway is kept busy with. */
export interface Load {
  /** What it has done so far: messages or connections. */
  readonly done: number
  stop (): Promise<void>
}

const PAIRS = 20
const IN_FLIGHT = 8
const MEMBERS = 100
/** The hooks read the number of members from it. */
const GROUP_ID = `0${MEMBERS}`
const CONNECTING = 16
const BODY = Buffer.alloc(128, 'x')

/** Each starts its load on a gateway with the tenants of `trivial-hooks.ts`. */
export const SHAPES = {
  pair: {
    what: `messages between ${PAIRS} pairs, ${IN_FLIGHT} in flight each, without a check hook`,
    start: (url: string) => pairs(url, 'unchecked'),
  },
  checked: {
    what: `messages between ${PAIRS} pairs, ${IN_FLIGHT} in flight each, with the check hook`,
    start: (url: string) => pairs(url, 'checked'),
  },
  group: { what: `messages to a group of ${MEMBERS}, all online, one after another`, start: group },
  connect: { what: `connections, ${CONNECTING} at once, each closed when it is there`, start: connections },
} satisfies Record<string, { what: string, start: (url: string) => Promise<Load> }>

export type Shape = keyof typeof SHAPES

async function pairs (url: string, tenantId: string): Promise<Load> {
  let done = 0
  let messages = 0
  const clients: Client[] = []
  for (let i = 0; i < PAIRS; i++) {
    const to = await Client.connect(url, tenantId, `to-${i}`)
    const from = await Client.connect(url, tenantId, `from-${i}`)
    const send = (): void => from.send(`to-${i}`, `profile-${++messages}`, BODY)
    to.onDelivery = () => { done++ }
    from.onAck = send
    for (let n = 0; n < IN_FLIGHT; n++) send()
    clients.push(from, to)
  }
  return { get done () { return done }, stop: async () => end(clients) }
}

async function group (url: string): Promise<Load> {
  let done = 0
  const clients: Client[] = []
  for (let i = 0; i < MEMBERS; i++) clients.push(await Client.connect(url, 'unchecked', `${GROUP_ID}-${i}`))
  const [from] = clients
  const send = (): void => from.sendToGroup(GROUP_ID, `profile-${done}`, BODY)
  from.onAck = () => {
    done++
    send()
  }
  send()
  return { get done () { return done }, stop: async () => end(clients) }
}

async function connections (url: string): Promise<Load> {
  let done = 0
  const stopping = new AbortController()
  const running = Promise.all(Array.from({ length: CONNECTING }, async (_, i) => {
    while (!stopping.signal.aborted) {
      const client = await Client.connect(url, 'unchecked', `user-${i}`)
      client.ws.close()
      done++
    }
  }))
  // Whoever stops it hears of what went wrong.
  running.catch(() => {})
  return {
    get done () { return done },
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

function end (clients: readonly Client[]): void {
  for (const { ws } of clients) ws.terminate()
}
