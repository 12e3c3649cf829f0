/** What the bot says. This is the file to put your own bot into. */
export function answerTo (text) {
  switch (text) {
    case '/help':
      return 'I know /help and /time. Whatever else you write comes back. In a group, mention me.'
    case '/time':
      return `It is ${new Date().toISOString()}`
    default:
      return `You said: ${text}`
  }
}
