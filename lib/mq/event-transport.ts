/** One record of a topic. */
export interface EventRecord {
  readonly topic: string
  /** Records of one topic and key go to one partition. */
  readonly key: string
  readonly value: Buffer
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/**
 * What is at fault:
 * - `event`: this record will never be taken, another may (too large, refused by the topic's rules)
 * - `topic`: this topic takes nothing now (missing, not allowed, without a leader)
 * - `cluster`: Kafka as a whole does not answer
 */
export type PublishFault = 'event' | 'topic' | 'cluster'

/** Why a record was not published. */
export class PublishError extends Error {
  readonly code = 'MICS_PUBLISH_FAILED'

  /**
   * @param fault what is at fault
   * @param reason the broker's or client's own name of the error, such as MSG_SIZE_TOO_LARGE
   */
  constructor (readonly fault: PublishFault, readonly reason: string, message: string) {
    super(message)
    this.name = 'PublishError'
  }
}

/** Takes records to their topics. */
export interface EventTransport {
  /**
   * Hands a record over, never waits and never throws. `done` is called once, later: without an error when the record
   * is safely stored, else with why not. Records of one topic and key that are handed over one after another in one
   * turn of the event loop are stored in that order; where one of them fails with the fault `topic` or `cluster`,
   * those behind it fail too. A record that failed may be stored all the same: published again, it is there twice.
   */
  send (record: EventRecord, done: (error?: PublishError) => void): void

  /** Ends it. Records on their way are given up. */
  close (): Promise<void>
}
