const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** RFC 4648, section 5, without padding: what a subprotocol of a WebSocket may hold. */
export function base64url (bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    // A byte past the end is undefined, which counts as 0 here.
    const bits = bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]
    for (let shift = 18; shift >= 0; shift -= 6) text += alphabet[bits >> shift & 63]
  }
  return text.slice(0, Math.ceil(bytes.length * 4 / 3))
}
