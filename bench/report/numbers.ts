import { median, type Ratio } from '../statistics.js'
import type { Series, Target } from './result.js'

/** Three digits of it, and the thousands apart. */
export function figure (value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.01))))
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** The median; `-` where there is nothing. */
export function middle (series: Series | undefined): string {
  return series === undefined ? '-' : figure(median(series.values))
}

export function cpu (series: Series | undefined): string {
  return series?.cpuUs === undefined ? '-' : figure(median(series.cpuUs))
}

/** `2.61 (2.55 to 2.70)` */
export function spread (ratio: Ratio | undefined): string {
  if (ratio === undefined) return '-'
  return `${times(ratio.value)} (${times(ratio.from)} to ${times(ratio.to)})`
}

/** How many times, to a hundredth. */
export function times (value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : '-'
}

export function targetText (target: Target | undefined): string {
  if (target === undefined) return ''
  const { atLeast, atMost } = target
  const bound = atLeast !== undefined ? `at least ${atLeast}` : `at most ${atMost}`
  return target.of === 'ratio' ? `${bound} times` : bound
}
