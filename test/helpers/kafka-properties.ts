import { readFileSync } from 'node:fs'
import type { Certificate } from './certificate.js'

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** What a listener asks of its clients: nothing, TLS, a user with a password, or both. */
export interface KafkaListener {
  tls?: boolean
  sasl?: SaslMechanism
}

export type KafkaProperties = Record<string, string | number | boolean>

/** The listener without TLS and SASL that each server has. */
export const openListener = 'OPEN'

/** The properties of a server that is broker and controller in one. */
export function serverProperties ({ folder, controllerPort, ports, listeners, users, certificate, more }: {
  folder: string
  controllerPort: number
  /** Of each listener, by name. */
  ports: ReadonlyMap<string, number>
  listeners: Readonly<Record<string, KafkaListener>>
  users: Readonly<Record<string, string>>
  certificate?: Certificate
  more: KafkaProperties
}): string {
  const places = [...ports].map(([name, port]) => `${name}://127.0.0.1:${port}`)
  const protocols = [...ports.keys()].map(name => `${name}:${protocolOf(listeners[name])}`)
  return toText({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: [...places, `CONTROLLER://127.0.0.1:${controllerPort}`].join(),
    'advertised.listeners': places.join(),
    'listener.security.protocol.map': [...protocols, 'CONTROLLER:PLAINTEXT'].join(),
    'inter.broker.listener.name': openListener,
    'log.dirs': `${folder}/data`,
    'auto.create.topics.enable': false,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // After a kill the controller takes the broker for alive this long, and lets no other take its place.
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    // It has one client or two.
    'num.network.threads': 2,
    'num.io.threads': 2,
    'background.threads': 2,
    'group.coordinator.threads': 1,
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    ...(certificate === undefined ? {} : tlsProperties(certificate)),
    ...Object.assign({}, ...Object.entries(listeners).map(([name, { sasl }]) => saslProperties(name, users, sasl))),
    ...more,
  })
}

function protocolOf ({ tls = false, sasl }: KafkaListener = {}): string {
  return `${sasl === undefined ? '' : 'SASL_'}${tls ? 'SSL' : 'PLAINTEXT'}`
}

function tlsProperties ({ key, cert }: Certificate): KafkaProperties {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.key': readFileSync(key, 'utf8'),
    'ssl.keystore.certificate.chain': readFileSync(cert, 'utf8'),
  }
}

function saslProperties (
  listener: string, users: Readonly<Record<string, string>>, sasl?: SaslMechanism
): KafkaProperties {
  if (sasl === undefined) return {}
  // Users of SCRAM are data of the cluster: they come with its format.
  const login = sasl === 'PLAIN'
    ? `plain.PlainLoginModule required ${Object.entries(users).map(([user, password]) => `user_${user}="${password}"`).join(' ')};`
    : 'scram.ScramLoginModule required;'
  const prefix = `listener.name.${listener.toLowerCase()}`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: sasl,
    [`${prefix}.${sasl.toLowerCase()}.sasl.jaas.config`]: `org.apache.kafka.common.security.${login}`,
  }
}

/** A .properties file. */
function toText (properties: KafkaProperties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`)
    .join('')
}
