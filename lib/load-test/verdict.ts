import { sum, type Tally } from './tally.js'

/** What is wrong, a sentence each; none: all is as it should be. */
export function problemsOf (tally: Tally, wantsMessages: boolean): string[] {
  const { connections, messages, deliveries, heartbeats, complaints } = tally
  const problems: string[] = []
  const tell = (number: number, one: string, many: string): void => {
    if (number > 0) problems.push(`${number} ${number === 1 ? one : many}`)
  }
  tell(sum(connections.refused), 'connection was refused', 'connections were refused')
  tell(sum(connections.ended), 'connection ended early', 'connections ended early')
  tell(sum(messages.failed), 'message was FAILED', 'messages were FAILED')
  tell(messages.unanswered, 'message has no ack', 'messages have no ack')
  tell(messages.ackedAgain, 'ack was for no message that waited for one', 'acks were for no message that waited for one')
  tell(deliveries.lost, 'delivery was lost', 'deliveries were lost')
  tell(deliveries.missed, 'delivery did not come to a connection that ended', 'deliveries did not come to connections that ended')
  tell(deliveries.held, 'delivery is held though its recipient was connected, or kept by the tenant',
    'deliveries are held though their recipients were connected, or kept by the tenant')
  tell(deliveries.duplicated, 'delivery came twice', 'deliveries came twice')
  tell(deliveries.reordered, 'delivery came after a later one of its sender', 'deliveries came after later ones of their sender')
  tell(deliveries.misdelivered, 'delivery came to somebody else', 'deliveries came to somebody else')
  tell(sum(complaints), 'frame could not be used', 'frames could not be used')
  tell(heartbeats.unanswered, 'heartbeat was not answered', 'heartbeats were not answered')
  if (connections.attempted > 0 && connections.connected === 0) problems.push('nobody could connect')
  else if (wantsMessages && messages.sent === 0) problems.push('nothing was sent')
  return problems
}

/** Above it a thread is late by itself. */
const MAX_BUSY = 0.85
/** Milliseconds that sending may be late, at the 99th percentile, before latencies are the load tester's own. */
const MAX_LATENESS_MS = 20
/** Part of the rate that must have been sent. */
const LEAST_SENT = 0.98

export interface Measured {
  tally: Tally
  busy: number[]
  /** Milliseconds, 99th percentile. */
  latenessMs: number
  /** A second. */
  target: number | null
  sent: number
  acked: number
  backlog: number
}

/** What limits what the figures say. */
export function notesOf ({ tally, busy, latenessMs, target, sent, acked, backlog }: Measured): string[] {
  const notes: string[] = []
  const busiest = Math.max(0, ...busy)
  if (busiest > MAX_BUSY) {
    notes.push(`a thread of the load tester was busy ${Math.round(busiest * 100)} % of the time: the figures are its own as much as the gateway's. Use more threads, or machines`)
  }
  if (latenessMs > MAX_LATENESS_MS) {
    notes.push(`messages went out up to ${latenessMs} ms late (99th percentile): the load tester, or its machine, could not keep up with the rate. Latencies are counted from when they were due, and have this in them`)
  }
  if (target !== null && sent < target * LEAST_SENT) notes.push(`${round(sent)} messages a second were sent instead of ${target}`)
  if (target !== null && sent > 0 && acked < sent * LEAST_SENT) {
    notes.push(`${round(acked)} messages a second were acked of ${round(sent)} sent, and ${backlog} had no ack when the load ended: it is more than the gateway takes`)
  }
  if (tally.messages.skipped > 0) {
    notes.push(`${tally.messages.skipped} messages that were due were not sent: their sender had 10,000 unanswered, or 4 MiB unread, or was gone`)
  }
  if (tally.connections.skipped > 0) {
    notes.push(`${tally.connections.skipped} connections that were due were not opened, as all were open: raise --connections, or lower --hold`)
  }
  if (tally.deliveries.foreign > 0) {
    notes.push(`${tally.deliveries.foreign} deliveries were not of this run: of an earlier one, or of other users`)
  }
  if (tally.messages.bufferedUsers + tally.messages.notifiedUsers + tally.messages.skippedUsers > 0) {
    const { bufferedUsers, notifiedUsers, skippedUsers } = tally.messages
    notes.push(`acks told of absent recipients: held for ${bufferedUsers}, announced to the tenant for ${notifiedUsers}, neither for ${skippedUsers}`)
  }
  return notes
}

function round (rate: number): number {
  return Math.round(rate * 10) / 10
}
