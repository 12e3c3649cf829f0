import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.js'
import type { MessageTo } from './dialect.js'
import type { MessageTemplate } from './message-template.js'

/** For the last acks to come once nothing more is sent. */
const PATIENCE_MS = 10_000

/** Never the same number twice in a process: that would be a repeat, which is acked and not delivered. */
let messages = 0

interface Speaker {
  client: Client
  template: MessageTemplate
  inFlight: number
}

/** Puts so many messages into one piece, and sends it. */
export function send (client: Client, template: MessageTemplate, count: number): void {
  const frames = Buffer.allocUnsafe(template.byteLength * count)
  for (let offset = 0; offset < frames.length;) offset = template.writeTo(frames, offset, ++messages)
  client.write(frames)
}

/** Closed loop: each sender keeps so many messages in flight, until it is told to stop. */
export class Talk {
  private readonly speakers: Speaker[]
  private isOn = true

  /** @param messageOf what the sender of this index sends */
  constructor (senders: readonly Client[], window: number, messageOf: (index: number) => MessageTo) {
    this.speakers = senders.map((client, index) => ({
      client,
      template: client.dialect.message(messageOf(index)),
      inFlight: 0,
    }))
    for (const speaker of this.speakers) {
      speaker.client.onAcks = count => {
        speaker.inFlight -= count
        if (this.isOn) this.say(speaker, count)
      }
      this.say(speaker, window)
    }
  }

  /** Sends no more; resolves to the number of messages that were never acked. */
  async stop (): Promise<number> {
    this.isOn = false
    const deadline = performance.now() + PATIENCE_MS
    while (this.inFlight > 0 && performance.now() < deadline) await delay(5)
    return this.inFlight
  }

  private get inFlight (): number {
    return this.speakers.reduce((sum, { inFlight }) => sum + inFlight, 0)
  }

  private say (speaker: Speaker, count: number): void {
    speaker.inFlight += count
    send(speaker.client, speaker.template, count)
  }
}
