/** Kafka cannot be reached, or does not let this user in. */
export class KafkaUnreachableError extends Error {
  readonly code = 'MICS_KAFKA_UNREACHABLE'

  /** @param why what the client says of it; empty where it says nothing */
  constructor (brokers: string, why: string, cause: unknown) {
    super(`no Kafka to work with at ${brokers}: ${why || 'it does not answer'}; check that it runs, that the brokers are ` +
      'right, and the variables of TLS and SASL', { cause })
    this.name = 'KafkaUnreachableError'
  }
}

/** There is no such topic, or this user may not know of it. */
export class TopicMissingError extends Error {
  readonly code = 'MICS_TOPIC_MISSING'

  constructor (readonly topic: string) {
    super(`there is no topic ${topic}, or its user may not see it`)
    this.name = 'TopicMissingError'
  }
}

/** A topic that is there cannot be read, or what was read of it cannot be remembered. */
export class TopicReadError extends Error {
  readonly code = 'MICS_TOPIC_READ_FAILED'

  constructor (topic: string, doing: string, cause: unknown) {
    super(`cannot ${doing} ${topic}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'TopicReadError'
  }
}
