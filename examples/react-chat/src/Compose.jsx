import { useState } from 'react'

export function Compose ({ onSend }) {
  const [text, setText] = useState('')
  const send = event => {
    event.preventDefault()
    if (text.trim() === '') return
    onSend(text)
    setText('')
  }
  return (
    <form className='compose' onSubmit={send}>
      <input aria-label='Message' value={text} onChange={event => setText(event.target.value)} autoFocus autoComplete='off' />
      <button>Send</button>
    </form>
  )
}
