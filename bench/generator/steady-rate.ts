import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.js'
import type { MessageTo } from './dialect.js'
import type { MessageTemplate } from './message-template.js'
import { send } from './talk.js'

/** For the last acks to come once nothing more is sent. */
const PATIENCE_MS = 5000

interface Speaker {
  client: Client
  template: MessageTemplate
  /** When the messages in flight were due; acks come in their order. */
  due: number[]
  /** How many of them have been acked. */
  acked: number
}

export interface SteadyRateOptions {
  /** Messages a second, of all senders together. */
  perSecond: number
  seconds: number
  /** What the sender of this index sends. */
  messageOf: (index: number) => MessageTo
}

/**
 * Open loop: messages are sent at their times, whether earlier ones have been acked or not. Resolves to the
 * milliseconds from the moment at which each was due to its ack, so that a server that holds up the generator
 * does not look faster for it.
 */
export async function steadyRate (
  senders: readonly Client[], { perSecond, seconds, messageOf }: SteadyRateOptions
): Promise<{ latencies: number[], unanswered: number }> {
  const latencies: number[] = []
  const speakers: Speaker[] = senders.map((client, index) => {
    const speaker: Speaker = { client, template: client.dialect.message(messageOf(index)), due: [], acked: 0 }
    client.onAcks = count => {
      const now = performance.now()
      for (let n = 0; n < count; n++) latencies.push(now - speaker.due[speaker.acked++])
      if (speaker.acked === speaker.due.length) speaker.acked = speaker.due.length = 0
    }
    return speaker
  })
  const total = Math.round(perSecond * seconds)
  const beganAt = performance.now()
  let sent = 0
  await new Promise<void>(resolve => {
    // No timer is exact enough for a server that answers in a tenth of a millisecond: the generator looks all the time.
    const look = (): void => {
      const due = Math.min(total, Math.floor((performance.now() - beganAt) / 1000 * perSecond))
      for (; sent < due; sent++) {
        const speaker = speakers[sent % speakers.length]
        speaker.due.push(beganAt + (sent + 1) / perSecond * 1000)
        send(speaker.client, speaker.template, 1)
      }
      if (sent === total) resolve()
      else setImmediate(look)
    }
    look()
  })
  const deadline = performance.now() + PATIENCE_MS
  while (latencies.length < total && performance.now() < deadline) await delay(1)
  for (const { client } of speakers) client.onAcks = undefined
  return { latencies, unanswered: total - latencies.length }
}
