import { truncate } from './dead-letter.js'
import type { EventBatch } from './event-batch.js'
import type { PublishError } from './event-transport.js'
import type { PendingEvent } from './pending-event.js'

/** What became of a batch. */
export interface BatchOutcome {
  /** Safely in the batch's topic. */
  stored: PendingEvent[]
  /** Not even the dead letter topic will ever take them. */
  refused: PendingEvent[]
  /** Must go again, in this order: to the same topic, or to the dead letter topic where they are sentenced now. */
  remaining: PendingEvent[]
  /** Of those, how many go to the same topic. */
  retried: number
  /** Why, where the topic as a whole was at fault; where Kafka as a whole was; where single events were. */
  topicError?: PublishError
  clusterError?: PublishError
  eventError?: PublishError
}

/** Sorts the events of a batch by what is to be done with them. */
export function outcomeOf (batch: EventBatch, maxAttempts: number): BatchOutcome {
  const { events, errors, isDead } = batch
  const outcome: BatchOutcome = { stored: [], refused: [], remaining: [], retried: 0 }
  for (let i = 0; i < events.length; i++) {
    const event = events[i]
    const error = errors[i]
    if (error === undefined) {
      outcome.stored.push(event)
      continue
    }
    event.keep()
    if (error.fault === 'cluster') outcome.clusterError ??= error
    else if (error.fault === 'topic') outcome.topicError ??= error
    else outcome.eventError ??= error
    if (error.fault === 'event' && event.isTruncated) {
      outcome.refused.push(event)
      continue
    }
    if (isDead) judgeDeadLetter(event, error)
    else judgeEvent(event, error, maxAttempts)
    if (isDead || event.sentence === undefined) outcome.retried++
    outcome.remaining.push(event)
  }
  return outcome
}

function judgeEvent (event: PendingEvent, error: PublishError, maxAttempts: number): void {
  if (error.fault === 'cluster') return
  event.attempts++
  if (error.fault === 'event' || event.attempts >= maxAttempts) event.sentence = error
}

function judgeDeadLetter (event: PendingEvent, error: PublishError): void {
  if (error.fault === 'event') truncate(event)
  // What was wrong with the event topic, and not with the event, may be over when they are tried again.
  else if (event.sentence?.fault === 'topic' && !event.isTruncated) event.sentence = undefined
}
