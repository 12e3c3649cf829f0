import { operationNames, type Operation } from './operations.js'
import { refusalReasons, type RefusalReason } from './refusal.js'

/**
 * How a call ended. `denied`: the handler said no, to one message at least. `abandoned`: the gateway gave it up before
 * there was an answer. `error`: the handler threw. `invalid_answer`: it returned what the gateway could not use.
 */
export type Outcome = 'ok' | 'denied' | 'error' | 'invalid_answer' | 'abandoned'

const outcomes: readonly Outcome[] = ['ok', 'denied', 'error', 'invalid_answer', 'abandoned']

/** Upper bounds in seconds. The gateway waits 0.15, the way included. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10]

interface Durations {
  buckets: number[]
  count: number
  sum: number
}

/** Counts calls, and says so in Prometheus' text format. */
export class HookMetrics {
  /** Calls whose handler is at work now. */
  inProgress = 0
  private readonly calls = new Map<string, number>()
  private readonly refused = new Map<RefusalReason, number>(refusalReasons.map(reason => [reason, 0]))
  private readonly checked = new Map<string, number>(['check-message', 'check-messages'].flatMap(operation =>
    ['allowed', 'refused'].map((verdict): [string, number] => [labels({ operation, verdict }), 0])))

  private readonly slow = new Map<Operation, number>(operationNames.map(operation => [operation, 0]))
  private readonly durations = new Map<Operation, Durations>(
    operationNames.map(operation => [operation, { buckets: bounds.map(() => 0), count: 0, sum: 0 }]))

  constructor (private readonly requestIds: () => { size: number, evicted: number } | undefined) {}

  answered (operation: Operation, outcome: Outcome, seconds: number): void {
    const key = labels({ operation, outcome })
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1)
    const durations = this.durations.get(operation) as Durations
    durations.count++
    durations.sum += seconds
    for (const [i, bound] of bounds.entries()) {
      if (seconds <= bound) durations.buckets[i]++
    }
  }

  checkedMessages (operation: Operation, verdicts: readonly boolean[]): void {
    for (const isAllowed of verdicts) {
      const key = labels({ operation, verdict: isAllowed ? 'allowed' : 'refused' })
      this.checked.set(key, (this.checked.get(key) ?? 0) + 1)
    }
  }

  slowCall (operation: Operation): void {
    this.slow.set(operation, (this.slow.get(operation) ?? 0) + 1)
  }

  refusedCall (reason: RefusalReason): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1)
  }

  text (): string {
    const lines: string[] = []
    const metric = (name: string, type: string, help: string, samples: Array<[string, number]>): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
      lines.push(...samples.map(([of, value]) => `${name}${of} ${value}`))
    }
    metric('mics_hook_server_calls_total', 'counter', 'Calls by hook and how they ended.',
      operationNames.flatMap(operation => outcomes.map((outcome): [string, number] => {
        const key = labels({ operation, outcome })
        return [key, this.calls.get(key) ?? 0]
      })))
    metric('mics_hook_server_checked_messages_total', 'counter', 'Messages that were checked, by hook and verdict.',
      [...this.checked])
    metric('mics_hook_server_refused_total', 'counter', 'Calls refused before a handler heard of them, by reason.',
      [...this.refused].map(([reason, count]) => [labels({ reason }), count]))
    metric('mics_hook_server_slow_calls_total', 'counter', 'Calls whose answer took longer than the gateway waits.',
      [...this.slow].map(([operation, count]) => [labels({ operation }), count]))
    metric('mics_hook_server_calls_in_progress', 'gauge', 'Calls whose handler is at work.', [['', this.inProgress]])
    const requestIds = this.requestIds()
    if (requestIds !== undefined) {
      metric('mics_hook_server_request_ids', 'gauge', 'Calls remembered, so that none is answered twice.',
        [['', requestIds.size]])
      metric('mics_hook_server_request_ids_evicted_total', 'counter',
        'Calls forgotten early: there was no room, and calls as old as those are refused since.', [['', requestIds.evicted]])
    }
    const name = 'mics_hook_server_call_duration_seconds'
    lines.push(`# HELP ${name} From the whole request to the answer.`, `# TYPE ${name} histogram`)
    for (const [operation, { buckets, count, sum }] of this.durations) {
      lines.push(...bounds.map((bound, i) => `${name}_bucket${labels({ operation, le: String(bound) })} ${buckets[i]}`))
      lines.push(`${name}_bucket${labels({ operation, le: '+Inf' })} ${count}`)
      lines.push(`${name}_sum${labels({ operation })} ${sum}`, `${name}_count${labels({ operation })} ${count}`)
    }
    return `${lines.join('\n')}\n`
  }
}

/** The values are ours, so nothing in them needs escaping. */
function labels (of: Record<string, string>): string {
  return `{${Object.entries(of).map(([name, value]) => `${name}="${value}"`).join(',')}}`
}
