import type { FastifyInstance } from 'fastify'

/** `GET /healthz`: the process runs. `GET /readyz`: it should get new clients. */
export default async function healthRoutes (app: FastifyInstance): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const { state } = app.lifecycle
    if (state !== 'ready') {
      reply.code(503)
      return { status: state, reason: state === 'starting' ? 'this node is starting' : 'this node is draining' }
    }
    if (isCutOff()) {
      reply.code(503)
      return { status: 'degraded', reason: 'cut off from Redis' }
    }
    return { status: 'ready' }
  })

  /** Longer than a restart of Redis takes: while it is gone for all nodes, none would be left to take clients. */
  function isCutOff (): boolean {
    const downSince = app.redis?.downSince
    return downSince !== undefined && performance.now() - downSince >= app.config.redisGraceSeconds * 1000
  }
}
