/**
 * What became of an event. `repeated`: it had been handled. `invalid`: it is not the gateway's. `parked`: its handler
 * failed, and `onFailed` took it.
 */
export type EventOutcome = 'handled' | 'repeated' | 'invalid' | 'parked'

/** Counts events, and says so in Prometheus' text format. */
export class EventMetrics {
  /** Attempts of a handler that failed. */
  failedAttempts = 0
  /** Events whose handler is at work now. */
  inProgress = 0
  private readonly outcomes = new Map<EventOutcome, number>([['handled', 0], ['repeated', 0], ['invalid', 0], ['parked', 0]])

  constructor (private readonly remembered: () => number | undefined) {}

  count (outcome: EventOutcome): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  text (): string {
    const name = 'mics_event_consumer'
    const remembered = this.remembered()
    return [
      `# HELP ${name}_events_total Events by what became of them.`,
      `# TYPE ${name}_events_total counter`,
      ...[...this.outcomes].map(([outcome, count]) => `${name}_events_total{outcome="${outcome}"} ${count}`),
      `# HELP ${name}_failed_attempts_total Attempts of the handler that failed.`,
      `# TYPE ${name}_failed_attempts_total counter`,
      `${name}_failed_attempts_total ${this.failedAttempts}`,
      `# HELP ${name}_events_in_progress Events whose handler is at work.`,
      `# TYPE ${name}_events_in_progress gauge`,
      `${name}_events_in_progress ${this.inProgress}`,
      ...(remembered === undefined
        ? []
        : [
            `# HELP ${name}_remembered_events Events remembered, so that none is handled twice.`,
            `# TYPE ${name}_remembered_events gauge`,
            `${name}_remembered_events ${remembered}`,
          ]),
      '',
    ].join('\n')
  }
}
