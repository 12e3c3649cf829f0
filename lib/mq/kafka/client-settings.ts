import { accessSync, constants } from 'node:fs'
import type { GatewayConfig } from '../../config/gateway-config.js'
import type { ClientSettings } from './kafka-client.js'

/** What of the configuration concerns the connection to Kafka. */
export type KafkaConnectionConfig = Pick<GatewayConfig,
  | 'nodeId' | 'kafkaBrokers' | 'kafkaSecurityProtocol' | 'kafkaSaslMechanism' | 'kafkaSaslUsername' | 'kafkaSaslPassword'
  | 'kafkaSslCaFile' | 'kafkaSslCertFile' | 'kafkaSslKeyFile' | 'kafkaSslKeyPassword'
>

export type KafkaProducerConfig = KafkaConnectionConfig &
  Pick<GatewayConfig, 'kafkaCompression' | 'kafkaDeliveryTimeoutMs' | 'maxMessageBytes'>

/** Kafka cannot be used as it is configured. */
export class KafkaSettingsError extends Error {
  readonly code = 'MICS_KAFKA_SETTINGS_INVALID'

  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'KafkaSettingsError'
  }
}

/** What a record may have beside the body of a message: the other fields of its frame, those of the event, headers. */
const RECORD_OVERHEAD_BYTES = 128 * 1024

/** A batch has at most this, or one record that is larger. */
export const BATCH_BYTES = 1_000_000

/** What brokers take by default. A topic that takes less may refuse batches. */
const USUAL_MAX_BATCH_BYTES = 1_048_588

/**
 * Settings of librdkafka that a producer, an admin client and a consumer share.
 * @throws {KafkaSettingsError} when a file of the configuration cannot be read.
 */
export function clientSettings (config: KafkaConnectionConfig): ClientSettings {
  const settings: ClientSettings = {
    'bootstrap.servers': config.kafkaBrokers,
    'client.id': `mics-${config.nodeId}`,
    'security.protocol': config.kafkaSecurityProtocol,
    // Whether topics are created is said by KAFKA_CREATE_TOPICS. Else asking for one would be enough, where brokers
    // have auto.create.topics.enable, which is their default.
    'allow.auto.create.topics': false,
    // Default: 30 s, and others are tried only after it.
    'socket.connection.setup.timeout.ms': 5000,
    // Default: 10 s. A broker that is back is to be noticed within seconds.
    'reconnect.backoff.max.ms': 2000,
    'socket.keepalive.enable': true,
    'statistics.interval.ms': 0,
  }
  if (config.kafkaSaslMechanism !== '') {
    settings['sasl.mechanism'] = config.kafkaSaslMechanism
    settings['sasl.username'] = config.kafkaSaslUsername
    settings['sasl.password'] = config.kafkaSaslPassword
  }
  addFile(settings, 'ssl.ca.location', 'KAFKA_SSL_CA_FILE', config.kafkaSslCaFile)
  addFile(settings, 'ssl.certificate.location', 'KAFKA_SSL_CERT_FILE', config.kafkaSslCertFile)
  addFile(settings, 'ssl.key.location', 'KAFKA_SSL_KEY_FILE', config.kafkaSslKeyFile)
  if (config.kafkaSslKeyPassword !== '') settings['ssl.key.password'] = config.kafkaSslKeyPassword
  return settings
}

/**
 * Settings of the producer of events.
 * @throws {KafkaSettingsError} as `clientSettings` does.
 */
export function producerSettings (config: KafkaProducerConfig): ClientSettings {
  return {
    ...clientSettings(config),
    'enable.idempotence': true,
    acks: 'all',
    'compression.type': config.kafkaCompression,
    'linger.ms': 5,
    'batch.size': BATCH_BYTES,
    // With all retries: after it the record is given back.
    'message.timeout.ms': config.kafkaDeliveryTimeoutMs,
    // As Java clients do, so that a key is in the same partition whoever writes it.
    partitioner: 'murmur2_random',
    'message.max.bytes': largestRecordBytes(config),
    // What waits is bounded where it comes from, in events and in bytes. Neither bound here is to be met before.
    'queue.buffering.max.messages': 0,
    'queue.buffering.max.kbytes': 2_147_483_647,
    // How long a topic that brokers do not know may have been created only now. Default: 30 s, in which its records
    // would wait and then time out without a reason.
    'topic.metadata.propagation.max.ms': 2000,
    dr_cb: true,
  }
}

/** The largest record that is ever published. */
export function largestRecordBytes ({ maxMessageBytes }: Pick<GatewayConfig, 'maxMessageBytes'>): number {
  return maxMessageBytes + RECORD_OVERHEAD_BYTES
}

/** `max.message.bytes` of a topic that takes all our records, and batches of them. */
export function topicMaxBytes (config: Pick<GatewayConfig, 'maxMessageBytes'>): number {
  return Math.max(largestRecordBytes(config), USUAL_MAX_BATCH_BYTES)
}

/** librdkafka's own message does not say which file it is, nor why. */
function addFile (settings: ClientSettings, name: string, variable: string, path: string): void {
  if (path === '') return
  try {
    accessSync(path, constants.R_OK)
  } catch (cause) {
    throw new KafkaSettingsError(`${variable}: cannot read ${path} (${(cause as NodeJS.ErrnoException).code ?? 'error'})`, { cause })
  }
  settings[name] = path
}
