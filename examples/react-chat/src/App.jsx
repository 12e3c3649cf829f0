import { useState } from 'react'
import { Chat } from './Chat.jsx'
import { SignIn } from './SignIn.jsx'
import { createClient } from './create-client.js'

export function App () {
  const [client, setClient] = useState()

  const signIn = name => {
    const client = createClient(name)
    client.connect()
    // The chat is there, and listens, before the first message can come.
    setClient(client)
  }
  const signOut = () => {
    client.close()
    setClient(undefined)
  }

  return client === undefined ? <SignIn onSignIn={signIn} /> : <Chat client={client} onSignOut={signOut} />
}
