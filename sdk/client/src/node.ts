import { MicsClient as Client } from './client.js'
import { nodeTransport } from './node-transport.js'
import type { MicsClientOptions } from './options.js'

export * from './exports.js'
export { nodeTransport }

/** The client for Node.js. While it is connected, or trying to be, it keeps the process alive, until `close()`. */
export class MicsClient extends Client {
  /** @throws {MicsError} MICS_INVALID_ARGUMENT, naming the option that cannot be used */
  constructor (options: MicsClientOptions) {
    super({ ...options, transport: options.transport ?? nodeTransport() })
  }
}
