import { InvalidArgumentError, type Command } from 'commander'

/** The gateways of --url. `command` is told what is wrong with them. */
export function parseGatewayUrls (text: string, command: Command): string[] {
  // Not as the others are refused: that would show the password once more.
  if (hasUserInfo(text)) {
    command.error('error: --url takes no user name and no password; give the token of a user with --token or MICS_TOKEN')
  }
  return text.split(',').map(one => parseUrl(one.trim()))
}

/** Before it is taken apart: a password may hold a comma. */
function hasUserInfo (text: string): boolean {
  return /:[/\\]*[^/\\?#]*@/.test(text)
}

/** The scheme of WebSockets, and nothing after host and path. */
function parseUrl (text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(ws|http)s?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('It takes URLs such as ws://localhost:8080 or wss://im.example, without /ws.')
  }
  return url.href.replace(/^http/, 'ws').replace(/\/(ws\/?)?$/, '')
}
