import { useState } from 'react'

/** What was sent from here, each with its state: `waiting`, `sent` or `failed`. */
export function useOutgoing (client) {
  const [outgoing, setOutgoing] = useState([])

  const update = (msgId, change) => setOutgoing(outgoing =>
    outgoing.map(message => message.msgId === msgId ? { ...message, ...change } : message))

  /** `send` waits for a connection where there is none, and sends again what may have been lost with one. */
  const deliver = async ({ msgId, toUserId, groupId, text: body }) => {
    update(msgId, { status: 'waiting' })
    try {
      await client.send(groupId === '' ? { msgId, toUserId, body } : { msgId, groupId, body })
      update(msgId, { status: 'sent' })
    } catch (error) {
      // The gateway's reason is for people where the tenant gave one.
      update(msgId, { status: 'failed', problem: error.ack?.reason ?? error.message })
    }
  }

  return {
    outgoing,
    send (recipient, text) {
      const message = {
        // By it the gateway recognizes a message that it has already: trying again never delivers it twice.
        msgId: crypto.randomUUID(),
        toUserId: '',
        groupId: '',
        ...recipient,
        text,
        timestampMs: Date.now(),
        isOwn: true,
        status: 'waiting',
      }
      setOutgoing(outgoing => [...outgoing, message].slice(-200))
      deliver(message)
    },
    retry: deliver,
  }
}
