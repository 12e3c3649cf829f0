/** A load run cannot begin, or cannot go on; the message says what to do. */
export class LoadError extends Error {
  constructor (readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LoadError'
  }
}
