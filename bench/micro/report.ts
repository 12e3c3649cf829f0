import type { Block, Cost } from './measure.js'

/** A block and what it cost. */
export interface Measured {
  block: Block
  costs: Cost[]
}

/** Columns of blocks stand below each other, but for the longest names. */
const NAME_WIDTH = 44

/** The block as a table for reading. */
export function table ({ block: { title, op }, costs }: Measured): string {
  const width = Math.max(NAME_WIDTH, ...costs.map(({ name }) => name.length))
  const row = (name: string, ...cells: string[]): string =>
    name.padEnd(width) + cells.map(cell => cell.padStart(11)).join('')
  return [
    `${title} (${op})`,
    row('', 'median', 'lowest', 'highest', 'CPU', 'ratio'),
    ...costs.map(({ name, median, lowest, highest, cpu, ratio }) =>
      row(name, time(median), time(lowest), time(highest), time(cpu), `${ratio.toFixed(2)}x`)),
  ].join('\n')
}

/** The same for programs: times in nanoseconds. */
export function json (benchmark: string, { block: { title, op }, costs }: Measured): object[] {
  return costs.map(({ name, median, lowest, highest, cpu, ratio }) => (
    { benchmark, block: title, name, op, medianNs: median, lowestNs: lowest, highestNs: highest, cpuNs: cpu, ratio }
  ))
}

function time (ns: number): string {
  if (ns < 1000) return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`
  return `${(ns / 1000).toFixed(ns < 100_000 ? 2 : 0)} µs`
}
