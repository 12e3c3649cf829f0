import { useState } from 'react'
import { Chat } from './Chat.jsx'
import { SignIn } from './SignIn.jsx'
import { createClient } from './create-client.js'

export function App () {
  const [client, setClient] = useState()
  if (client === undefined) return <SignIn onSignIn={name => setClient(createClient(name))} />
  // The chat closes the client when it goes.
  return <Chat client={client} onSignOut={() => setClient(undefined)} />
}
