/**
 * Is it a Uint8Array, a Buffer included? In a test environment or beside an iframe it may be another global's, of which
 * `instanceof` says no.
 */
export function isBytes (value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]'
}
