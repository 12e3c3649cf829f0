import { ThrottledLog, type LogLine } from '../log/throttled-log.js'
import type { QuotaRefusal } from './event-quota.js'
import type { PublishError } from './event-transport.js'

const INTERVAL_MS = 10_000

export interface EventLogLines {
  info: LogLine
  warn: LogLine
}

export type NotTaken = QuotaRefusal | 'shutdown'

const NOT_TAKEN: Record<NotTaken, string> = {
  queue_full: 'its tenant has as many waiting as it may',
  node_full: 'this node has as many waiting as it may',
  shutdown: 'this node is stopping',
}

/** What operators are told of events that do not reach their topic: a line in ten seconds for each tenant and kind. */
export class EventLog {
  private readonly throttled: ThrottledLog

  /** @param now milliseconds */
  constructor (private readonly lines: EventLogLines, now: () => number) {
    this.throttled = new ThrottledLog(INTERVAL_MS, now)
  }

  topicFailed (tenantId: string, topic: string, error: PublishError, goesOn: string): void {
    const fields = { tenantId, topic, ...causeOf(error) }
    this.warn(`failed, ${goesOn}:`, topic, fields, `a topic does not take events: ${goesOn}`)
  }

  topicWorks (tenantId: string, topic: string): void {
    this.throttled.log(`works ${topic}`, this.lines.info, { tenantId, topic }, 'a topic takes events again')
  }

  deadLettered (tenantId: string, topic: string, msgId: string, sentence: PublishError): void {
    this.warn('dead', tenantId, { tenantId, topic, msgId, ...causeOf(sentence) }, 'an event went to the dead letter topic')
  }

  refused (tenantId: string, topic: string, msgId: string, error: PublishError): void {
    const fields = { tenantId, topic, msgId, ...causeOf(error) }
    this.warn('refused', tenantId, fields, 'an event was dropped: not even its dead letter topic takes it')
  }

  notTaken (tenantId: string, reason: NotTaken): void {
    this.warn(reason, tenantId, { tenantId, reason }, `an event was dropped: ${NOT_TAKEN[reason]}`)
  }

  tenantRemoved (tenantId: string, events: number): void {
    this.warn('removed', tenantId, { tenantId, events }, 'events were dropped: their tenant is gone, and its topics take none')
  }

  /** Said once a tenant, so each is said. */
  ended (tenantId: string, events: number, oldestMs: number): void {
    const fields = { tenantId, events, oldestMs: Math.round(oldestMs) }
    this.lines.warn(fields, 'events that were not published in time end with this process')
  }

  private warn (kind: string, of: string, fields: object, message: string): void {
    this.throttled.log(`${kind} ${of}`, this.lines.warn, fields, message)
  }
}

function causeOf ({ reason, message }: PublishError): { reason: string, cause: string } {
  return { reason, cause: message }
}
