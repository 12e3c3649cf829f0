import { isIP } from 'node:net'

/** A host name or IP address, an IPv6 one without brackets. */
export interface Address {
  host: string
  /** undefined: not given. */
  port: number | undefined
}

export function isHost (text: string): boolean {
  return isIP(text) !== 0 || /^(?!-)[A-Za-z0-9_.-]{1,253}$/.test(text)
}

/** `host`, `host:port`, `[::1]` or `[::1]:port`; undefined: none of these. */
export function parseAddress (text: string): Address | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const [, ipv6, name = '', digits] = match
  if (ipv6 === undefined ? !isHost(name) : isIP(ipv6) !== 6) return undefined
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && (port < 1 || port > 65535)) return undefined
  return { host: ipv6 ?? name, port }
}

/** As `parseAddress` reads it. */
export function addressText ({ host, port }: Address): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === undefined ? name : `${name}:${port}`
}
