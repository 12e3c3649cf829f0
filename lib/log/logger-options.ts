import type { FastifyServerOptions } from 'fastify'

/** `named`: readable lines that begin with the node's id, for several nodes at one terminal. */
export type LogFormat = 'json' | 'readable' | 'named'

/**
 * pino's options: JSON lines on stdout with the node's id and, of several workers, the number of this one; or readable
 * lines on stderr for a person at a terminal. Requests are logged without their query, which may hold a token.
 */
export function loggerOptions (
  level: string, nodeId: string, format: LogFormat, worker?: number
): FastifyServerOptions['logger'] {
  return {
    level,
    base: worker === undefined ? { nodeId } : { nodeId, worker },
    // Node hangs the bytes of a request that is no HTTP on the error, and with them its query.
    redact: { paths: ['err.rawPacket'], remove: true },
    serializers: {
      req: request => ({ method: request.method, path: request.url?.split('?')[0] }),
    },
    ...(format === 'json' ? {} : { transport: { target: 'pino-pretty', options: prettyOptions(format) } }),
  }
}

function prettyOptions (format: LogFormat): object {
  const messageFormat = format === 'named' ? '{nodeId}: {msg}' : false
  return { destination: 2, ignore: 'nodeId', translateTime: 'HH:MM:ss', messageFormat }
}
