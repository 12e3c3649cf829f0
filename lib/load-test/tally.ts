/** What is counted, in plain numbers, so that threads can send it to each other. */
export interface Tally {
  connections: {
    /** Attempts. */
    attempted: number
    connected: number
    /** Attempts that failed, by close code, HTTP status or error. */
    refused: Record<string, number>
    /** Connections that ended though nobody here closed them, by close code or error. */
    ended: Record<string, number>
    /** Attempts that were due when as many as allowed were open (mode churn). */
    skipped: number
  }
  messages: {
    /** That were due, at the given rate. */
    scheduled: number
    sent: number
    /** Due, and not sent, because the gateway did not read or too much was unanswered. */
    skipped: number
    acked: number
    failed: Record<string, number>
    /** Acks of what was answered before. */
    ackedAgain: number
    /** Without an ack at the end. */
    unanswered: number
    /** Recipients whom an ack says to be absent: held by the gateway, announced to the tenant, or neither. */
    bufferedUsers: number
    notifiedUsers: number
    skippedUsers: number
  }
  deliveries: {
    /** What acks of SENT promise to the connections of the run. */
    expected: number
    /** Different ones that came. */
    received: number
    /** Of these, those of messages that were FAILED or never answered. */
    unexpected: number
    /** Not come: held by the gateway, or announced to the tenant, for who was absent. */
    held: number
    /** Not come: the recipient's connection ended meanwhile. */
    missed: number
    /** Not come, though they should have. */
    lost: number
    duplicated: number
    /** After a later one of the same sender. */
    reordered: number
    /** Of this run, to somebody they were not for. */
    misdelivered: number
    /** Of another run, or of somebody else: not looked at. */
    foreign: number
  }
  /** `unanswered`: at the end, of connections that were open then. */
  heartbeats: { sent: number, answered: number, unanswered: number }
  /** What was wrong with frames, by what it was. */
  complaints: Record<string, number>
}

/** Texts that the gateway chooses are counted up to this number of different ones. */
const MAX_TEXTS = 100
const OTHERS = 'others'

export function emptyTally (): Tally {
  return {
    connections: { attempted: 0, connected: 0, refused: {}, ended: {}, skipped: 0 },
    messages: {
      scheduled: 0,
      sent: 0,
      skipped: 0,
      acked: 0,
      failed: {},
      ackedAgain: 0,
      unanswered: 0,
      bufferedUsers: 0,
      notifiedUsers: 0,
      skippedUsers: 0,
    },
    deliveries: {
      expected: 0,
      received: 0,
      unexpected: 0,
      held: 0,
      missed: 0,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      misdelivered: 0,
      foreign: 0,
    },
    heartbeats: { sent: 0, answered: 0, unanswered: 0 },
    complaints: {},
  }
}

export function count (counts: Record<string, number>, text: string, more = 1): void {
  const isTaken = Object.hasOwn(counts, text)
  const hasRoom = text !== '__proto__' && Object.keys(counts).length < MAX_TEXTS
  const key = isTaken || hasRoom ? text : OTHERS
  counts[key] = (Object.hasOwn(counts, key) ? counts[key] : 0) + more
}

export function sum (counts: Record<string, number>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0)
}

/** Adds what another thread has counted. */
export function addTally (to: Tally, more: Tally): void {
  addCounts(to.connections, more.connections)
  addCounts(to.messages, more.messages)
  addCounts(to.deliveries, more.deliveries)
  addCounts(to.heartbeats, more.heartbeats)
  addCounts(to.complaints, more.complaints)
}

function addCounts (to: object, more: object): void {
  const counts = to as Record<string, number | Record<string, number>>
  for (const [name, value] of Object.entries(more)) {
    if (typeof value === 'object') addCounts(counts[name] as object, value)
    else count(to as Record<string, number>, name, value)
  }
}
