import type { LatencyPoint, Result, Skipped } from '../report/result.js'
import type { Stage } from '../stage.js'

/** How much of it all. */
export interface Effort {
  rounds: number
  /** Seconds that a run is measured, after it was warmed up. */
  seconds: number
  warmUpSeconds: number
  /** Small numbers: does it work at all? */
  isShort: boolean
}

export interface Findings {
  results: Result[]
  latencies?: LatencyPoint[]
  skipped?: Skipped[]
}

/** A shape of load. */
export interface Shape {
  /** For `--only`. */
  name: string
  /** What is measured, in a line. */
  title: string
  /** Only where it is asked for: it takes long. */
  isExtra?: true
  /** Left out of a short run. */
  isLong?: true
  run: (stage: Stage, effort: Effort) => Promise<Findings>
}

/** What this machine cannot do; the bench goes on with the next shape. */
export class NotPossibleError extends Error {}
