import type { FastifyInstance } from 'fastify'

/** An OFFLINE_MESSAGE event, as far as tests look at it. */
export interface Announced {
  msgId: string
  fromUserId: string
  userId: string
}

/** Takes the place of a gateway's queue of events: what the router announces, and whether there is room for more. */
export class OfflineEventRecorder {
  readonly announced: Announced[] = []
  /** How many more are taken. */
  room = Infinity

  constructor (app: FastifyInstance) {
    app.gatewayEvents.offlineMessage = (_from, { message }, userId) => {
      if (this.room <= 0) return false
      this.room--
      this.announced.push({ msgId: message.msgId, fromUserId: message.userId, userId })
      return true
    }
  }
}
