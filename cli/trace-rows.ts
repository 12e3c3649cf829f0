import type { NodeTrace, TracedMessage } from '../lib/gen/mics/node/v1/node_pb.js'
import { escapeControls } from './event-lines.js'

/** What happened. */
interface TraceFact {
  stage: string
  result: string
  detail?: string
  user_id?: string
  device_id?: string
  other_node?: string
  count?: number
  [more: string]: string | number | undefined
}

/** One line of what became of a message. */
export interface TraceRow extends TraceFact {
  time: string
  node: string
  /** Milliseconds since the message came to the node. */
  after_ms: number
}

/** How a message came to a node. */
const ORIGINS: Record<string, string> = {
  client: 'from its sender',
  peer: 'from another node, for devices here',
  peer_buffer: 'from another node, for the offline buffer',
}

/** What all nodes know, in the order of time as far as their clocks agree. */
export function traceRows (nodes: readonly NodeTrace[]): TraceRow[] {
  const rows = nodes.flatMap(({ nodeId, messages }) => messages.flatMap(message => rowsOf(nodeId, message)))
  return rows.sort((one, other) => one.at - other.at).map(({ row }) => row)
}

export function jsonLine (row: TraceRow): string {
  return escapeControls(JSON.stringify(row))
}

/** Columns two spaces apart, each as wide as its widest cell. */
export function traceTable (rows: readonly TraceRow[]): string[] {
  const titles = ['TIME', 'NODE', 'MS', 'STAGE', 'RESULT', 'USER', 'DEVICE', 'OTHER NODE', 'DETAIL']
  const cells = rows.map(row => [
    row.time, row.node, row.after_ms.toFixed(1), row.stage, row.result,
    row.user_id, row.device_id, row.other_node, detailOf(row),
  ].map(cell => escapeControls(cell ?? '') || '-'))
  const lines = [titles, ...cells]
  const widths = titles.map((_, column) => Math.max(...lines.map(line => line[column].length)))
  return lines.map(line => line.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd())
}

function rowsOf (node: string, message: TracedMessage): Array<{ at: number, row: TraceRow }> {
  const { receivedMs, steps, stepsLeftOut, groupId, origin } = message
  const at = (afterMs: number, row: TraceFact): { at: number, row: TraceRow } => ({
    at: receivedMs + afterMs,
    row: {
      time: new Date(receivedMs + afterMs).toISOString(),
      node,
      after_ms: Math.round(afterMs * 1000) / 1000,
      stage: row.stage,
      result: row.result,
      ...filled(row),
    },
  })
  const last = steps.at(-1)?.afterMs ?? 0
  const rows = [at(0, {
    stage: 'received',
    result: ORIGINS[origin] ?? origin,
    user_id: message.userId,
    device_id: message.deviceId,
    to_user_id: message.toUserId,
    group_id: groupId,
    body_bytes: Number(message.bodyBytes),
    trace_id: message.traceId,
  })]
  for (const { afterMs, stage, result, detail, userId, deviceId, nodeId, count } of steps) {
    rows.push(at(afterMs, { stage, result, detail, user_id: userId, device_id: deviceId, other_node: nodeId, count }))
  }
  if (stepsLeftOut > 0) rows.push(at(last, { stage: 'more', result: 'steps not kept', count: stepsLeftOut }))
  const { delivered, notified, buffered, skipped, devices, written } = message
  if (devices > 0) rows.push(at(last, { stage: 'devices here', result: 'in all', handed_over: devices, written }))
  if (origin === 'client' && delivered + notified + buffered + skipped > 0) {
    rows.push(at(last, { stage: 'users', result: 'in all', delivered, notified, buffered, skipped }))
  }
  return rows
}

/** Without what is empty: texts, and numbers that count nothing where that says nothing. */
function filled (row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => value !== '' && !(name === 'count' && value === 0)))
}

/** What the table has no column for. */
function detailOf ({ stage, detail, count, ...row }: TraceRow): string {
  switch (stage) {
    case 'received':
      return [
        row.group_id === undefined ? `to ${row.to_user_id ?? 'nobody'}` : `to group ${row.group_id}`,
        `${row.body_bytes} bytes`,
        ...row.trace_id === undefined ? [] : [`trace ${row.trace_id}`],
      ].join(', ')
    case 'devices here':
      return `${row.handed_over} handed over, ${row.written} taken by their sockets`
    case 'users':
      return `${row.delivered} delivered, ${row.notified} by event, ${row.buffered} buffered, ${row.skipped} skipped`
    default:
      return [...detail === undefined ? [] : [detail], ...count === undefined ? [] : [`count ${count}`]].join(', ')
  }
}
