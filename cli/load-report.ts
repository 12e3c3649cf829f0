import type { LoadResult } from '../lib/load-test/load-result.js'

const titles: Record<keyof LoadResult['latencies'], string> = {
  connect: 'connect',
  ack: 'ack',
  delivery: 'delivery',
  catchUp: 'catch-up',
  heartbeat: 'heartbeat',
  lateness: 'lateness of sending',
}

/** A load run's result as lines for people. */
export function loadReportLines (result: LoadResult): string[] {
  const { mode, connections, messages, deliveries, heartbeats, complaints, rates, seconds, generator } = result
  const lines = [`mics load ${mode}: ${result.urls.join(', ')}, tenant ${result.tenants.join(', ')}`, '']
  const opened = connections.openedPerSecond
  lines.push(...section('Connections', [
    ['connected', `${connections.connected} of ${connections.attempted}`],
    ...opened === null ? [] : [row('opened', `${opened} a second, in ${seconds.connect} s`)],
    ...mode === 'churn' ? [row('opened', `${rates.connected} a second`)] : [],
    ...byReason('refused', connections.refused),
    ...byReason('ended early', connections.ended),
    ...heartbeats.sent === 0 ? [] : [row('heartbeats', `${heartbeats.answered} of ${heartbeats.sent} answered`)],
  ]))
  if (messages.scheduled + messages.sent > 0) {
    lines.push(...section(`Messages, of ${messages.bodyBytes} bytes, ${seconds.measured} s measured`, [
      row('a second', `${rates.sent} sent${rates.target === null ? '' : ` of ${rates.target}`}, ${rates.acked} acked, ${rates.delivered} delivered`),
      row('sent', `${messages.sent}${messages.skipped === 0 ? '' : `, and ${messages.skipped} that were due were not`}`),
      row('acked SENT', String(messages.acked)),
      ...byReason('FAILED', messages.failed),
      row('without an ack', String(messages.unanswered)),
      ...messages.ackedAgain === 0 ? [] : [row('acked again', String(messages.ackedAgain))],
    ]))
    lines.push(...section('Deliveries', [
      row('to come', String(deliveries.expected)),
      row('came', String(deliveries.received - deliveries.unexpected)),
      row('lost', String(deliveries.lost)),
      row('duplicated', String(deliveries.duplicated)),
      row('reordered', String(deliveries.reordered)),
      ...some('held for absent users', deliveries.held),
      ...some('missed by connections that ended', deliveries.missed),
      ...some('of messages not acked SENT', deliveries.unexpected),
      ...some('to somebody else', deliveries.misdelivered),
      ...some('of other runs', deliveries.foreign),
    ]))
  }
  const complained = byReason('complaints', complaints)
  if (complained.length > 0) lines.push(...section('Frames', complained))
  lines.push(...latencyTable(result))
  lines.push(`Load tester: ${generator.threads} ${generator.threads === 1 ? 'thread' : 'threads'}, busy ${generator.busy.map(busy => `${Math.round(busy * 100)} %`).join(', ')}; ${generator.cpuSeconds} s of processor time`)
  for (const note of result.notes) lines.push(`Note: ${note}.`)
  lines.push('')
  if (result.interrupted) lines.push('It was stopped early.')
  lines.push(result.ok ? 'OK: nothing was lost, duplicated or reordered.' : `NOT OK: ${result.problems.join('; ')}.`)
  return lines
}

function latencyTable ({ latencies }: LoadResult): string[] {
  const columns = ['count', 'min', 'mean', 'p50', 'p90', 'p99', 'p999', 'max'] as const
  const rows = Object.entries(latencies).flatMap(([name, summary]) => summary === null
    ? []
    : [[titles[name as keyof typeof titles], ...columns.map(column => column === 'count' ? String(summary.count) : summary[column].toFixed(2))]])
  if (rows.length === 0) return []
  const table = [['Latency in ms', ...columns.map(column => column === 'p999' ? 'p99.9' : column)], ...rows]
  const widths = table[0].map((_, i) => Math.max(...table.map(cells => cells[i].length)))
  return [...table.map(cells => cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join('  ')), '']
}

type Row = [name: string, value: string]

function row (name: string, value: string): Row {
  return [name, value]
}

function some (name: string, number: number): Row[] {
  return number === 0 ? [] : [row(name, String(number))]
}

function byReason (name: string, counts: Record<string, number>): Row[] {
  return Object.entries(counts).sort(([, a], [, b]) => b - a).map(([reason, number]) => row(name, `${number}  ${reason}`))
}

function section (title: string, rows: Row[]): string[] {
  return [title, ...rows.map(([name, value]) => `  ${name.padEnd(16)}  ${value}`), '']
}
