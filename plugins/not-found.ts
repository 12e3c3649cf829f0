import fp from 'fastify-plugin'

/** Answers what no route serves. Fastify's own answer repeats the URL, which may hold a token. */
export default fp(async app => {
  app.setNotFoundHandler(async (_request, reply) => {
    await reply.code(404).send({ error: 'not found: clients connect to /ws' })
  })
}, { name: 'not-found' })
