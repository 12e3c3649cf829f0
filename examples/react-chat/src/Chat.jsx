import { useState } from 'react'
import { useConnectionState, useMessages } from '@mics/client/react'
import { Compose } from './Compose.jsx'
import { ConnectionBanner } from './ConnectionBanner.jsx'
import { Conversations } from './Conversations.jsx'
import { Messages } from './Messages.jsx'
import { conversationOf, recipientOf } from './conversation.js'
import { useOutgoing } from './use-outgoing.js'

export function Chat ({ client, onSignOut }) {
  const state = useConnectionState(client)
  const incoming = useMessages(client)
  const { outgoing, send, retry } = useOutgoing(client)
  const [open, setOpen] = useState('#lobby')
  const [people, setPeople] = useState([])

  const openPerson = name => {
    setPeople(people.includes(name) ? people : [...people, name])
    setOpen(name)
  }
  // Groups that the demo tenant has, people we chose to write to, and whoever wrote to us.
  const conversations = [...new Set(['#lobby', '#team', ...people, ...incoming.map(conversationOf)])]
  const messages = [...incoming, ...outgoing]
    .filter(message => conversationOf(message) === open)
    .sort((a, b) => a.timestampMs - b.timestampMs)

  return (
    <div className='chat'>
      <ConnectionBanner client={client} state={state} onSignOut={onSignOut} />
      <Conversations all={conversations} open={open} onOpen={setOpen} onOpenPerson={openPerson} />
      <main>
        <h1>{open}</h1>
        <Messages messages={messages} onRetry={retry} />
        <Compose key={open} onSend={text => send(recipientOf(open), text)} />
      </main>
    </div>
  )
}
