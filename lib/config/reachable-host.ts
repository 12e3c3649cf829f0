/**
 * Under which name this machine reaches what listens on `host`, as it stands in a URL: a wildcard address is no place
 * to call, the loopback of its family always is.
 */
export function reachableHost (host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
