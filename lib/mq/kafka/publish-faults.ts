import type { PublishFault } from '../event-transport.js'
import type { KafkaClient } from './kafka-client.js'

/** `unclear`: there was no answer, from the cluster or only from the broker that leads the record's partition. */
export type Fault = PublishFault | 'unclear'

/**
 * What is at fault when the client or a broker gives one of these errors. A leading underscore marks those of the
 * client itself (https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h, rd_kafka_resp_err_t). Any other
 * counts as a fault of the topic: taken for one of the cluster, it would hold up all tenants.
 */
export const faultTable: Readonly<Record<Fault, readonly string[]>> = {
  event: [
    'MSG_SIZE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_MSG_SIZE',
    'INVALID_RECORD', 'INVALID_TIMESTAMP', 'POLICY_VIOLATION', '_INVALID_ARG',
  ],
  topic: [
    'UNKNOWN_TOPIC_OR_PART', 'UNKNOWN_TOPIC_ID', '_UNKNOWN_TOPIC', '_UNKNOWN_PARTITION',
    // An illegal name.
    'TOPIC_EXCEPTION',
    'TOPIC_AUTHORIZATION_FAILED',
    'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH',
    'NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT', '_ISR_INSUFF',
    'KAFKA_STORAGE_ERROR', 'UNSUPPORTED_FOR_MESSAGE_FORMAT', 'UNSUPPORTED_COMPRESSION_TYPE',
    // Another record of the batch was invalid: on its own this one may be taken.
    '_INVALID_DIFFERENT_RECORD',
    // The producer numbers the records of a partition anew after these.
    'OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'DUPLICATE_SEQUENCE_NUMBER',
    // Refusals to create it.
    'INVALID_PARTITIONS', 'INVALID_REPLICATION_FACTOR', 'INVALID_REPLICA_ASSIGNMENT', 'INVALID_CONFIG',
    'THROTTLING_QUOTA_EXCEEDED',
  ],
  cluster: [
    '_ALL_BROKERS_DOWN', '_RESOLVE', '_SSL', '_AUTHENTICATION', 'NOT_CONTROLLER', 'REBOOTSTRAP_REQUIRED',
    'SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE', 'SECURITY_DISABLED',
    'CLUSTER_AUTHORIZATION_FAILED', 'UNSUPPORTED_VERSION', '_UNSUPPORTED_FEATURE',
    // The producer itself is of no more use, or is not there.
    '_FATAL', '_FENCED', 'PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH', '_STATE', '_PURGE_QUEUE',
    '_PURGE_INFLIGHT', '_QUEUE_FULL', '_CRIT_SYS_RESOURCE',
  ],
  unclear: [
    '_MSG_TIMED_OUT', '_TIMED_OUT', '_TIMED_OUT_QUEUE', '_TRANSPORT', 'BROKER_NOT_AVAILABLE', 'NETWORK_EXCEPTION',
    // Also what a record is given back with whose topic is deleted meanwhile.
    '_DESTROY', '_DESTROY_BROKER',
  ],
}

const faults = new Map(Object.entries(faultTable).flatMap(([fault, reasons]) =>
  reasons.map(reason => [reason, fault as Fault] as const)))

/** What is at fault where an error has this name. */
export function faultOf (reason: string): Fault {
  return faults.get(reason) ?? 'topic'
}

/**
 * What an operator can do about a topic that takes nothing for this reason; empty where that is not known.
 * @param isCreated whether missing topics are created
 */
export function adviceOn (reason: string, isCreated: boolean): string {
  switch (reason) {
    case 'UNKNOWN_TOPIC_OR_PART':
    case '_UNKNOWN_TOPIC':
      return isCreated ? '' : 'create it, or set KAFKA_CREATE_TOPICS=true'
    case 'TOPIC_AUTHORIZATION_FAILED':
      return 'grant the rights to write and to describe it'
    default:
      return ''
  }
}

/** The names of the client's errors by their codes: `-192` is `_MSG_TIMED_OUT`. */
export function errorNames ({ CODES }: Pick<KafkaClient, 'CODES'>): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const [name, code] of Object.entries(CODES.ERRORS)) names.set(code, name.replace(/^ERR_/, ''))
  return names
}
