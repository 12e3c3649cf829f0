import { InvalidArgumentError } from 'commander'

const milliseconds: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** For help texts. */
export const sinceTakes = 'how long ago, such as 90s, 10m, 2h or 3d, or a time such as 2026-01-31T08:00:00Z'

/** The point in time, in Unix milliseconds, that somebody means by `10m` or by a time in ISO 8601. */
export function parseSince (text: string, nowMs = Date.now()): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return Math.max(0, nowMs - Number(count) * milliseconds[unit])
  const time = /^\d{4}-\d\d-\d\d(T\S+)?$/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(time)) throw new InvalidArgumentError(`It takes ${sinceTakes}.`)
  return Math.max(0, time)
}
