/** What became of spans that have ended. */
export interface SpanCounts {
  /** The collector has them. */
  exported: number
  dropped: {
    /** As many waited as may. */
    queue_full: number
    /** The collector did not take them. */
    export_failed: number
    /** The process ended before they were exported. */
    shutdown: number
  }
}

export function newSpanCounts (): SpanCounts {
  return { exported: 0, dropped: { queue_full: 0, export_failed: 0, shutdown: 0 } }
}
