type Delay = 'at_once_with_jitter' | 'backoff'

interface Code {
  code: number
  name: string
  meaning: string
  from: 'gateway' | 'websocket'
  /** Null: the client stops. */
  delay: Delay | null
}

const codes: Code[] = [
  { code: 1000, name: 'NORMAL', meaning: 'closed normally, by the client', from: 'gateway', delay: null },
  { code: 4001, name: 'AUTH_FAILED', meaning: 'authentication failed: only a new token helps', from: 'gateway', delay: null },
  { code: 4002, name: 'UNKNOWN_TENANT', meaning: 'unknown tenant', from: 'gateway', delay: null },
  { code: 4003, name: 'DISCONNECTED_BY_TENANT', meaning: 'disconnected by the tenant; reserved', from: 'gateway', delay: null },
  { code: 4100, name: 'HEARTBEAT_TIMEOUT', meaning: 'no frame from the client within the window', from: 'gateway', delay: 'backoff' },
  { code: 4101, name: 'SLOW_CONSUMER', meaning: 'the client reads too slowly', from: 'gateway', delay: 'backoff' },
  { code: 4200, name: 'DRAINING', meaning: 'this node is shutting down: another answers', from: 'gateway', delay: 'at_once_with_jitter' },
  { code: 4409, name: 'REPLACED', meaning: 'a newer connection of the device took its place', from: 'gateway', delay: null },
  { code: 4429, name: 'CONNECTION_LIMIT', meaning: 'a limit of connections is reached', from: 'gateway', delay: 'backoff' },
  { code: 4503, name: 'UNAVAILABLE', meaning: 'cannot authenticate or register now', from: 'gateway', delay: 'backoff' },
  { code: 1001, name: 'going away', meaning: 'a proxy on the way is going', from: 'websocket', delay: 'backoff' },
  { code: 1002, name: 'protocol error', meaning: 'the client broke the WebSocket protocol', from: 'websocket', delay: null },
  { code: 1006, name: 'abnormal closure', meaning: 'no close frame: the connection broke, or the upgrade was refused', from: 'websocket', delay: 'backoff' },
  { code: 1007, name: 'invalid payload', meaning: 'the client broke the WebSocket protocol', from: 'websocket', delay: null },
  { code: 1009, name: 'message too big', meaning: 'a frame was far too large', from: 'websocket', delay: null },
]

/** Codes that a client cannot know count as passing. */
const unknown = [1011, 1012, 3000, 4000, 4004, 4777, 4999]

export function closeCodes (): object {
  return {
    description: 'What a client makes of the code with which its connection ended. delay: after a random time between 0 and 1 second, or with backoff; null where it does not reconnect. unknown: codes that no client knows; it reconnects with backoff.',
    cases: codes.map(({ delay, ...code }) => ({ ...code, reconnect: delay !== null, delay })),
    unknown,
  }
}

export function reconnect (): object {
  const delays: [code: number, delay: Delay | null][] = [
    ...codes.map(({ code, delay }): [number, Delay | null] => [code, delay]),
    ...unknown.map((code): [number, Delay] => [code, 'backoff']),
  ]
  return {
    description: 'When a client connects again: failures is the number of attempts since the last connect_ack, this one not counted; random is from 0 to 1. With backoff the delay is random times an upper bound that doubles from 1,000 ms with each failure to 30,000 ms; for 4200 random times 1,000 ms. delay_ms may be off by 1 for rounding; null: not at all. sequences: what happens to one client, with random at 1; a connect_ack lets it begin anew.',
    cases: delays.flatMap(([code, delay]) =>
      [0, 1, 2, 4, 5, 6, 100].flatMap(failures => [0, 0.5, 1].map(random =>
        ({
          close_code: code,
          failures,
          random,
          reconnect: delay !== null,
          delay_ms: delayMs(delay, failures, random),
        })))),
    sequences: [
      sequence('failures double the bound up to 30 seconds', Array.from({ length: 8 }, () => 1006)),
      sequence('a connect_ack begins anew', [1006, 4503, 4429, 'connect_ack', 1006, 1006]),
      sequence('a node that shuts down counts as a failure too', [4200, 1006, 'connect_ack', 4200, 4200, 4503]),
    ],
  }
}

function delayMs (delay: Delay | null, failures: number, random: number): number | null {
  if (delay === null) return null
  return random * (delay === 'backoff' ? Math.min(30_000, 1000 * 2 ** failures) : 1000)
}

function sequence (name: string, events: (number | 'connect_ack')[]): object {
  let failures = 0
  const steps = events.map(event => {
    if (event === 'connect_ack') {
      failures = 0
      return { event }
    }
    const delay = codes.find(({ code }) => code === event)?.delay ?? 'backoff'
    return { event: 'close', code: event, delay_ms: delayMs(delay, failures++, 1) }
  })
  return { name, random: 1, steps }
}
