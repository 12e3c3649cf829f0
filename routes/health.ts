import type { FastifyInstance } from 'fastify'

/** `GET /healthz`: the process runs. `GET /readyz`: it should get new clients. */
export default async function healthRoutes (app: FastifyInstance): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get('/readyz', async (_request, reply) => {
    const { state } = app.lifecycle
    if (state === 'ready') return { status: 'ready' }
    reply.code(503)
    return { status: state, reason: state === 'draining' ? 'this node is draining' : 'this node is starting' }
  })
}
