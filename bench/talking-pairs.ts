import { Client } from './client.js'

const BODY = Buffer.alloc(128, 'x')

/** Never the same id twice, whatever was sent before: that would be a repeat, which is acked and not delivered. */
let messages = 0

/** Connects pairs of clients; of each one keeps so many messages to the other in flight, until it is terminated. */
export async function talkingPairs (
  url: string,
  tenantId: string,
  { pairs, window, onDelivery, onAck }: { pairs: number, window: number, onDelivery: () => void, onAck?: () => void }
): Promise<Client[]> {
  const all = Array.from({ length: pairs }, async (_, i) => {
    const name = `${window}-${i}`
    const to = await Client.connect(url, tenantId, `to-${name}`)
    const from = await Client.connect(url, tenantId, `from-${name}`)
    const send = (): void => from.send(`to-${name}`, String(++messages), BODY)
    to.onDelivery = onDelivery
    from.onAck = () => {
      onAck?.()
      send()
    }
    for (let n = 0; n < window; n++) send()
    return [from, to]
  })
  return (await Promise.all(all)).flat()
}
