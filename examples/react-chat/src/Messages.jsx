import { useEffect, useRef } from 'react'

export function Messages ({ messages, onRetry }) {
  const end = useRef(null)
  useEffect(() => { end.current.scrollIntoView() }, [messages.length])
  return (
    <ol className='messages' aria-live='polite'>
      {messages.map(message => (
        <li key={`${message.userId}/${message.deviceId}/${message.msgId}`} className={message.isOwn ? 'own' : ''}>
          {!message.isOwn && <span className='from'>{message.userId}</span>}
          <p>{message.text}</p>
          {message.status !== undefined && <Status message={message} onRetry={onRetry} />}
        </li>
      ))}
      <li ref={end} />
    </ol>
  )
}

function Status ({ message, onRetry }) {
  if (message.status !== 'failed') return <span className='status'>{message.status}</span>
  return (
    <span className='status failed'>
      failed: {message.problem} <button onClick={() => onRetry(message)}>Try again</button>
    </span>
  )
}
