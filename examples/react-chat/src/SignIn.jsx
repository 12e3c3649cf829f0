export function SignIn ({ onSignIn }) {
  const signIn = event => {
    event.preventDefault()
    onSignIn(new FormData(event.target).get('name'))
  }
  return (
    <form className='sign-in' onSubmit={signIn}>
      <h1>React chat</h1>
      <label htmlFor='name'>Your name</label>
      <input id='name' name='name' required maxLength={64} pattern='[A-Za-z0-9_.@\-]+' autoFocus autoComplete='off' />
      <button>Sign in</button>
    </form>
  )
}
