import { decodeUtf8ByHand, encodeUtf8ByHand } from './utf8-by-hand.js'

// The platform's own are faster; WeChat mini programs have none.
const encoder = typeof TextEncoder === 'function' ? new TextEncoder() : undefined
// Left to itself a TextDecoder takes U+FEFF off the front: of an id, or of an app's text, that would be a change.
const decoder = typeof TextDecoder === 'function' ? new TextDecoder('utf-8', { ignoreBOM: true }) : undefined

/** The text's UTF-8. A surrogate without its other half becomes U+FFFD. */
export function encodeUtf8 (text: string): Uint8Array {
  return encoder === undefined ? encodeUtf8ByHand(text) : encoder.encode(text)
}

/** Never throws: what is no UTF-8 becomes U+FFFD. U+FEFF stays, also in front. */
export function decodeUtf8 (bytes: Uint8Array): string {
  return decoder === undefined ? decodeUtf8ByHand(bytes) : decoder.decode(bytes)
}
