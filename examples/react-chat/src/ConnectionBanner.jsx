/** How the connection is, and what can be done about it. */
export function ConnectionBanner ({ client, state, onSignOut }) {
  switch (state.name) {
    case 'connected':
      return <header role='status'>Signed in as {state.userId} <button onClick={onSignOut}>Sign out</button></header>
    case 'waiting':
      // The client tries again by itself; the button is for who will not wait for it.
      return (
        <header role='status' className='problem'>
          No connection. Messages are sent when it is back. <button onClick={() => client.reconnect()}>Try now</button>
        </header>
      )
    case 'closed':
      // The token was refused, or this tab's place was taken: the same attempt would end in the same way.
      return (
        <header role='status' className='problem'>
          {state.reason} ({state.code}) <button onClick={onSignOut}>Sign in again</button>
        </header>
      )
    default:
      return <header role='status'>Connecting …</header>
  }
}
