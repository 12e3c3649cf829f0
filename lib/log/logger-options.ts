import type { FastifyServerOptions } from 'fastify'

/**
 * pino's options: JSON lines on stdout with the node's id, or readable lines on stderr for a person at a terminal.
 * Requests are logged without their query, which may hold a token.
 */
export function loggerOptions (level: string, nodeId: string, readable: boolean): FastifyServerOptions['logger'] {
  return {
    level,
    base: { nodeId },
    // Node hangs the bytes of a request that is no HTTP on the error, and with them its query.
    redact: { paths: ['err.rawPacket'], remove: true },
    serializers: {
      req: request => ({ method: request.method, path: request.url?.split('?')[0] }),
    },
    ...(readable
      ? { transport: { target: 'pino-pretty', options: { destination: 2, ignore: 'nodeId', translateTime: 'HH:MM:ss' } } }
      : {}),
  }
}
