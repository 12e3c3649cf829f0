import { Ajv } from 'ajv'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ConnectionFilter, MockGateway } from '../../lib/mock-gateway/mock-gateway.js'
import { checkScenario, ScenarioError } from '../../lib/mock-gateway/parse-scenario.js'
import type { ScriptedMessages } from '../../lib/mock-gateway/scenario.js'
import { scenarioSchema } from '../../lib/mock-gateway/scenario-schema.js'

const text = { type: 'string' }

const closeSchema = {
  body: {
    type: 'object',
    additionalProperties: false,
    properties: {
      tenantId: text,
      userId: text,
      deviceId: text,
      connection: { type: 'integer' },
      code: scenarioSchema.definitions.action.properties.close.properties.code,
      reason: { type: 'string', maxLength: 123 },
    },
  },
}

const deliverSchema = {
  body: { ...scenarioSchema.properties.held.items, required: ['from', 'msgId'] },
}

/** How a test, in whatever language, drives a mock gateway and sees what it has seen. */
export async function mockControl (app: FastifyInstance, { gateway }: { gateway: MockGateway }): Promise<void> {
  // A word that is not known is an error; Fastify's own would leave it out and go on.
  const ajv = new Ajv({ allErrors: true, strict: false })
  app.setValidatorCompiler(({ schema }) => ajv.compile(schema))

  // A page of another origin may be the test.
  app.addHook('onRequest', async (request, reply) => {
    reply.header('access-control-allow-origin', '*').header('access-control-allow-headers', 'content-type')
    if (request.method === 'OPTIONS') await reply.code(204).send()
  })
  app.options('/mock/*', async (_request, reply) => await reply.code(204).send())

  app.get('/healthz', async () => ({ status: 'ok' }))

  app.get<{ Querystring: { after?: string } }>('/mock/log', async (request, reply) => {
    const entries = gateway.log.after(Number(request.query.after ?? 0) || 0)
    return ndjson(reply, entries)
  })

  app.get('/mock/connections', async () => gateway.connections)

  app.post('/mock/scenario', async (request, reply) => {
    try {
      gateway.load(checkScenario(request.body))
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error
      return await reply.code(400).send({ error: error.message, problems: error.problems })
    }
    return await reply.code(204).send()
  })

  app.post<{ Body: ScriptedMessages }>('/mock/deliver', { schema: deliverSchema }, async (request, reply) => {
    const { toUserId, groupId } = request.body
    if ((toUserId === undefined) === (groupId === undefined)) {
      return await reply.code(400).send({ error: 'either toUserId or groupId is needed' })
    }
    return gateway.deliver(request.body)
  })

  app.post<{ Body: ConnectionFilter & { code?: number, reason?: string } | null }>('/mock/close', { schema: closeSchema }, async request => {
    const { code, reason, ...filter } = request.body ?? {}
    return { closed: gateway.disconnect(filter, code, reason) }
  })
}

function ndjson (reply: FastifyReply, entries: object[]): string {
  reply.type('application/x-ndjson')
  return entries.map(entry => `${JSON.stringify(entry)}\n`).join('')
}
