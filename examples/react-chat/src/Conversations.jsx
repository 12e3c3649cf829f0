export function Conversations ({ all, open, onOpen, onOpenPerson }) {
  const openPerson = event => {
    event.preventDefault()
    onOpenPerson(new FormData(event.target).get('person'))
    event.target.reset()
  }
  return (
    <nav>
      {all.map(name => (
        <button key={name} aria-current={name === open} onClick={() => onOpen(name)}>{name}</button>
      ))}
      <form onSubmit={openPerson}>
        <input name='person' aria-label='Write to' placeholder='Write to …' required pattern='[A-Za-z0-9_.@\-]+' autoComplete='off' />
      </form>
    </nav>
  )
}
