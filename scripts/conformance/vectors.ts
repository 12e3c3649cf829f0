import { clientFrames } from './client-frames.js'
import { subprotocol } from './connecting.js'
import { encryption } from './encryption.js'
import { eventVectors } from './events.js'
import { hooks } from './hooks.js'
import { ackReasons, messageIdentity } from './messages.js'
import { closeCodes, reconnect } from './reconnecting.js'
import { serverFrames } from './server-frames.js'
import { signatures } from './signatures.js'

/** Of all files. Raised where the form of a file changes, or a case that others rely on; not where cases are added. */
const version = 1

/** The content of each file in conformance/vectors, by its name without `.json`. */
export function vectorFiles (): Record<string, object> {
  const files = {
    'client-frames': clientFrames(),
    'server-frames': serverFrames(),
    subprotocol: subprotocol(),
    'close-codes': closeCodes(),
    reconnect: reconnect(),
    'ack-reasons': ackReasons(),
    'message-identity': messageIdentity(),
    hooks: hooks(),
    signatures: signatures(),
    events: eventVectors(),
    encryption: encryption(),
  }
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [name, { version, ...content }]))
}
