import type { MqEvent } from './mq-event.js'

/** Takes events on their way to the tenants' backends. */
export interface MqPublisher {
  /**
   * Takes an event: microseconds, never waits, never throws. Events of one tenant and key are published in the order
   * in which they are taken. False: there is no way to publish events, or the tenant's quota is used up; the event is
   * not taken (and where there is a way, counted as dropped).
   */
  publish (event: MqEvent): boolean

  /** Publishes what was taken. Resolves when that is done, or after `timeoutMs`; what remains then is dropped. */
  close (timeoutMs: number): Promise<void>
}
