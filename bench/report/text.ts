import { isReached, ratio, remarks } from './judgement.js'
import { cpu, middle, spread, targetText } from './numbers.js'
import type { Report, Result } from './result.js'

const COLUMNS = ['', 'unit', 'measured', 'beside', 'ratio (spread)', 'CPU µs each', 'target'] as const

/** The table for a terminal. */
export function asText (report: Report): string {
  // A short run says nothing of speed.
  const rows = report.results.map(result => cells(report.isShort ? { ...result, target: undefined } : result))
  const widths = COLUMNS.map((title, i) => Math.max(title.length, ...rows.map(row => row[i].length)))
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padEnd(widths[i])).join('  ').trimEnd()
  const body = report.results.flatMap((result, i) => [line(rows[i]), ...remarks(result).map(remark => `    ${remark}`)])
  const skipped = report.skipped.map(({ shape, reason }) => `not measured: ${shape}: ${reason}`)
  return [machineLine(report), '', line(COLUMNS), ...body, ...(skipped.length > 0 ? ['', ...skipped] : []), ''].join('\n')
}

/** Where, when and of what. */
export function machineLine (report: Report): string {
  const { startedAt, commit, isChanged, node, nodeFlags, socketIo, machine, isPinned } = report
  const { cpu, cores, memoryGiB, system } = machine
  return [
    `${cpu}, ${cores} cores, ${memoryGiB} GiB, ${system}`,
    isPinned ? 'servers on one core, generator on another' : 'not pinned to cores',
    `Node.js ${node}${nodeFlags === '' ? ' without flags' : ` ${nodeFlags}`}`,
    `Socket.IO ${socketIo}`,
    `commit ${commit}${isChanged ? ' with changes' : ''}`,
    `${startedAt.slice(0, 10)}, ${report.rounds} rounds of ${report.secondsEach} s, ${report.tookSeconds} s in all`,
  ].join('; ')
}

function cells (result: Result): string[] {
  const { name, unit, subject, base, target } = result
  const reached = isReached(result)
  return [
    name,
    unit,
    `${subject.name} ${middle(subject)}`,
    base === undefined ? '-' : `${base.name} ${middle(base)}`,
    spread(ratio(result)),
    base === undefined ? cpu(subject) : `${cpu(subject)} | ${cpu(base)}`,
    reached === undefined ? '' : `${targetText(target)}: ${reached ? 'yes' : 'NO'}`,
  ]
}
