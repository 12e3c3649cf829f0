import { median, ratioOf, type Ratio } from '../statistics.js'
import type { Result, Series } from './result.js'

/** Share of its core from which a server counts as fully loaded. */
const SATURATED = 0.95

/** Share of the server's core that others may use without being mentioned. */
const DISTURBED = 0.05

export function ratio ({ subject, base }: Result): Ratio | undefined {
  return base === undefined ? undefined : ratioOf(subject.values, base.values)
}

/** Whether the target is reached, undefined where there is none. */
export function isReached (result: Result): boolean | undefined {
  const { target } = result
  if (target === undefined) return undefined
  const value = target.of === 'ratio' ? ratio(result)?.value ?? NaN : median(result.subject.values)
  return value >= (target.atLeast ?? -Infinity) && value <= (target.atMost ?? Infinity)
}

/** What the reader of a number must know, beside the note of its shape. */
export function remarks ({ subject, base, note }: Result): string[] {
  return [...(note === undefined ? [] : [note]), ...[subject, ...(base === undefined ? [] : [base])].flatMap(remarksOn)]
}

function remarksOn ({ name, values, serverBusy, othersBusy, loadBusy, failed }: Series): string[] {
  const all: string[] = []
  if (serverBusy !== undefined && othersBusy !== undefined && loadBusy !== undefined) {
    const [server, others, load] = [serverBusy, othersBusy, loadBusy].map(median)
    if (others > DISTURBED) all.push(`${name} was disturbed: others took ${share(others)} of its core`)
    if (server + others < SATURATED) {
      const why = load >= SATURATED ? 'was limited by the generator' : 'waited for round trips'
      all.push(`${name} ${why}: it took ${share(server)} of its core`)
    }
  }
  const lost = failed?.reduce((sum, count) => sum + count, 0) ?? 0
  if (lost > 0) all.push(`${name}: ${lost} messages failed, in ${values.length} rounds`)
  return all
}

function share (value: number): string {
  return `${(value * 100).toFixed(0)} %`
}
