import { browserTransport } from './browser-transport.js'
import { MicsClient as Client } from './client.js'
import type { MicsClientOptions } from './options.js'

export * from './exports.js'
export { browserTransport }

/** The client for browsers, in a page or in a worker. */
export class MicsClient extends Client {
  /** @throws {MicsError} MICS_INVALID_ARGUMENT, naming the option that cannot be used */
  constructor (options: MicsClientOptions) {
    super({ ...options, transport: options.transport ?? browserTransport() })
  }
}
