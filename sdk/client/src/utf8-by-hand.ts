// UTF-8 for platforms without TextEncoder and TextDecoder, such as WeChat mini programs. Both do what the WHATWG
// Encoding Standard says of these two, so that a text is the same on every platform.

/** A surrogate without its other half becomes U+FFFD. */
export function encodeUtf8ByHand (text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  let end = 0
  for (let at = 0; at < text.length; at++) {
    let point = text.charCodeAt(at)
    if (point >= 0xd800 && point <= 0xdfff) {
      const low = text.charCodeAt(at + 1) // NaN past the end
      if (point < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00)
        at++
      } else {
        point = 0xfffd
      }
    }
    if (point < 0x80) {
      bytes[end++] = point
      continue
    }
    if (point < 0x800) {
      bytes[end++] = point >> 6 | 0xc0
    } else {
      if (point < 0x10000) {
        bytes[end++] = point >> 12 | 0xe0
      } else {
        bytes[end++] = point >> 18 | 0xf0
        bytes[end++] = point >> 12 & 63 | 0x80
      }
      bytes[end++] = point >> 6 & 63 | 0x80
    }
    bytes[end++] = point & 63 | 0x80
  }
  return bytes.slice(0, end)
}

/** Code units that one call of String.fromCharCode takes: each is an argument, and engines bound those. */
const CHUNK = 4096

/** What is no UTF-8 becomes U+FFFD, one for each longest beginning of a character. U+FEFF stays, also in front. */
export function decodeUtf8ByHand (bytes: Uint8Array): string {
  let text = ''
  let units: number[] = []
  let point = 0
  let needed = 0
  let lower = 0x80
  let upper = 0xbf
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (needed > 0) {
      if (byte < lower || byte > upper) {
        needed = 0
        units.push(0xfffd)
        at-- // it may begin a character of its own
      } else {
        point = point << 6 | byte & 63
        needed--
        if (needed === 0 && point > 0xffff) units.push(0xd7c0 + (point >> 10), 0xdc00 | point & 0x3ff)
        else if (needed === 0) units.push(point)
      }
      lower = 0x80
      upper = 0xbf
    } else if (byte < 0x80) {
      units.push(byte)
    } else if (byte < 0xc2 || byte > 0xf4) {
      units.push(0xfffd)
    } else {
      needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3
      point = byte & (63 >> needed)
      // Bounds of the second byte: no overlong forms, no surrogates, nothing past U+10FFFF.
      if (byte === 0xe0) lower = 0xa0
      else if (byte === 0xf0) lower = 0x90
      else if (byte === 0xed) upper = 0x9f
      else if (byte === 0xf4) upper = 0x8f
    }
    if (units.length >= CHUNK) {
      text += String.fromCharCode(...units)
      units = []
    }
  }
  if (needed > 0) units.push(0xfffd)
  return text + String.fromCharCode(...units)
}
