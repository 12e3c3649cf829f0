import fp from 'fastify-plugin'
import { MessagePipeline } from '../lib/session/message-pipeline.js'

declare module 'fastify' {
  interface FastifyInstance {
    messagePipeline: MessagePipeline
  }
}

/** The way of a message from its frame to its ack. */
export default fp(async app => {
  app.decorate('messagePipeline', new MessagePipeline({
    hooks: app.hooksClient,
    rateLimit: app.rateLimit,
    dedup: app.dedup,
    router: app.messageRouter,
    fanOut: app.fanOut,
    events: app.gatewayEvents,
    trace: app.messageTrace,
    ackSeconds: app.gatewayMetrics.messageAckSeconds,
    maxMessageBytes: app.config.maxMessageBytes,
    groupMembersMaxUsers: app.config.groupMembersMaxUsers,
    log: app.log,
    now: Date.now,
  }))
}, {
  name: 'message-pipeline',
  dependencies: ['config', 'message-trace', 'hooks-client', 'rate-limit', 'dedup', 'router', 'mq-publisher'],
})
