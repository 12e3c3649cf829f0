import type { Generator } from '../generator/generator.js'
import type { Chat, Latency } from '../generator/orders.js'

/**
 * A steady rate, looked at second by second: where the machine stands still for a moment, that spoils one of them and
 * not all. Fails where a message had no ack.
 * @param secondEach how long a second is; less for a short run
 */
export async function steadySeconds (
  generator: Generator, load: { chat: Chat, perSecond: number }, seconds: number, secondEach = 1
): Promise<Latency[]> {
  const found: Latency[] = []
  for (let n = 0; n < seconds; n++) {
    const latency = await generator.ask('steadyRate', { ...load, seconds: secondEach })
    if (latency.unanswered > 0) throw new Error(`${latency.unanswered} messages were not acked`)
    found.push(latency)
  }
  return found
}
