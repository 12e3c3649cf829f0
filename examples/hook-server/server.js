import { timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import { hookServer } from '@mics/hook-server/fastify'
import { hooks } from './hooks.js'

/**
 * The tenant's backend: the gateway's hooks at /mics, and routes for your own people.
 *
 * @param store where users, groups and messages are
 * @param tenantId what the gateway's operator calls you
 * @param secret signs the gateway's calls; a list while you change it
 * @param adminToken who has it may create users and groups
 */
export function buildServer ({ store, tenantId, secret, adminToken, logger = true }) {
  const app = Fastify({ logger })
  app.register(hookServer, { prefix: '/mics', secrets: secret, tenantIds: [tenantId], ...hooks(store) })
  app.register(adminRoutes, { prefix: '/admin', store, adminToken })
  app.register(userRoutes, { store })
  return app
}

const id = { type: 'string', minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_.@-]+$' }

/** `Authorization: Bearer <admin token>`. */
async function adminRoutes (app, { store, adminToken }) {
  app.addHook('onRequest', async (request, reply) => {
    if (!isEqual(bearerOf(request), adminToken)) {
      return reply.code(401).send({ error: 'send the admin token: Authorization: Bearer <token>' })
    }
  })

  const user = { type: 'object', required: ['userId'], properties: { userId: id }, additionalProperties: false }
  app.post('/users', { schema: { body: user } }, async (request, reply) => {
    const { userId } = request.body
    const token = store.createUser(userId)
    if (token === undefined) return reply.code(409).send({ error: `there is a user ${userId} already` })
    // The only time that it can be read: what is stored is its hash.
    return reply.code(201).send({ userId, token })
  })

  const group = {
    type: 'object',
    required: ['members'],
    properties: { members: { type: 'array', items: id, minItems: 1, maxItems: 1000 } },
    additionalProperties: false,
  }
  const params = { type: 'object', properties: { groupId: id } }
  app.put('/groups/:groupId', { schema: { body: group, params } }, async (request, reply) => {
    const { groupId } = request.params
    const { members } = request.body
    const unknown = members.filter(userId => !store.hasUser(userId))
    if (unknown.length > 0) return reply.code(400).send({ error: `there is no user ${unknown[0]}: create them first` })
    store.setMembers(groupId, members)
    return { groupId, members: store.members(groupId) }
  })
}

/** `Authorization: Bearer <the user's token>`, the same that the gateway is given. */
async function userRoutes (app, { store }) {
  // The gateway does not report what arrived, so the app does: with the ids of what it has stored or shown.
  const text = { type: 'string', maxLength: 1024 }
  const received = {
    type: 'object',
    required: ['messages'],
    properties: {
      messages: {
        type: 'array',
        maxItems: 1000,
        items: {
          type: 'object',
          required: ['userId', 'deviceId', 'msgId'],
          properties: { userId: text, deviceId: text, msgId: text },
        },
      },
    },
  }
  app.post('/received', { schema: { body: received } }, async (request, reply) => {
    const userId = store.userOfToken(bearerOf(request))
    if (userId === undefined) return reply.code(401).send({ error: 'send your token: Authorization: Bearer <token>' })
    return { deleted: store.deleteKept(userId, request.body.messages) }
  })
}

function bearerOf (request) {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
}

/** In constant time, except for the length. */
function isEqual (given, expected) {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
