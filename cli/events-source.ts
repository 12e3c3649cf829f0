import { setTimeout as delay } from 'node:timers/promises'
import { InvalidArgumentError, type Command } from 'commander'
import type { GatewayConfig } from '../lib/config/gateway-config.js'
import { clientSettings } from '../lib/mq/kafka/client-settings.js'
import { TopicMissingError } from '../lib/mq/kafka/reader-errors.js'
import { TopicReader, type PartitionBounds } from '../lib/mq/kafka/topic-reader.js'
import { TopicNames } from '../lib/mq/topic-names.js'
import { Tenant } from '../lib/tenants/tenant.js'
import { CommandError } from './failure.js'
import { loadAll } from './load-all.js'
import { readSecret } from './secret-file.js'

/** What every command about events is told. */
export interface EventsOptions {
  tenant: string
  brokers?: string
}

export interface SecretOptions {
  secretFile?: string[]
}

export interface EventsSource {
  config: GatewayConfig
  eventTopic: string
  deadLetterTopic: string
  /** Opens a topic; to be closed by whoever opened it. */
  open: (topic: string, group?: string) => Promise<TopicReader>
}

/** Milliseconds between two looks for a topic. */
const WAIT_INTERVAL_MS = 1000

/** Milliseconds to end in, once it was asked for. */
const END_TIMEOUT_MS = 1000

/** Only a name: it registers no member, and commits nothing. */
const NO_GROUP = 'mics-events'

export function withEventsOptions (command: Command): Command {
  return command
    .requiredOption('-t, --tenant <id>', 'whose events')
    .option('-b, --brokers <host:port,...>', 'Kafka brokers (KAFKA_BROKERS)')
}

export function withSecretOption (command: Command): Command {
  return command.option('--secret-file <path>',
    "a file with the secret that signs the tenant's events; several may be given (MICS_EVENT_SECRET, else the configured one)",
    (path, earlier: string[] = []) => [...earlier, path])
}

/** Where a tenant's events are, by the same configuration that the gateway reads. No tenant need be configured. */
export async function eventsSource (env: NodeJS.ProcessEnv, options: EventsOptions): Promise<EventsSource> {
  const { tenant, brokers } = options
  const own = brokers === undefined ? {} : { KAFKA_BROKERS: brokers, KAFKA__BOOTSTRAP_SERVERS: undefined }
  const config = await loadAll({ ...env, ...own }, { embedded: true })
  if (config.kafkaBrokers === '') {
    throw new CommandError('MICS_NO_BROKERS', 'no Kafka brokers are given: set KAFKA_BROKERS, or use --brokers host:port')
  }
  const names = new TopicNames(config.kafkaEventTopic, config.kafkaDlqTopic)
  const settings = clientSettings(config)
  return {
    config,
    eventTopic: names.event(tenant),
    deadLetterTopic: names.deadLetter(tenant),
    open: async (topic, group = NO_GROUP) =>
      await TopicReader.open({ settings, topic, group, onAway: warnAway, onBack: sayBack }),
  }
}

/**
 * The secrets that sign the tenant's events as far as they are known here: a tenant's auth hook may give another one.
 * Empty: none is known.
 */
export function secretsOf (
  env: NodeJS.ProcessEnv, config: GatewayConfig, { tenant: id, secretFile }: EventsOptions & SecretOptions
): string[] {
  if (secretFile !== undefined) return secretFile.map(readSecret)
  if (env.MICS_EVENT_SECRET !== undefined && env.MICS_EVENT_SECRET !== '') return [env.MICS_EVENT_SECRET]
  const configured = config.tenants.find(tenant => tenant.id === id)
  const secret = configured === undefined ? '' : new Tenant(configured, config).settingsFor(undefined).tenantSecret
  return secret === '' ? [] : [secret]
}

/**
 * The partitions of a topic that is there, or will be where it is waited for. Undefined: `signal` came first.
 * @param advice what to do where the topic is missing
 * @throws {CommandError} where it is not there.
 */
export async function boundsOf (
  reader: TopicReader, topic: string, advice: string,
  { wait = false, signal }: { wait?: boolean, signal?: AbortSignal } = {}
): Promise<{ bounds: PartitionBounds[], waited: boolean } | undefined> {
  for (let waited = false; signal?.aborted !== true; waited = true) {
    try {
      return { bounds: await reader.bounds(), waited }
    } catch (error) {
      if (!(error instanceof TopicMissingError)) throw error
      if (!wait) throw new CommandError('MICS_TOPIC_MISSING', `there is no topic ${topic}, or this user may not read it; ${advice}`)
    }
    if (!waited) process.stderr.write(`waiting for the topic ${topic}\n`)
    await delay(WAIT_INTERVAL_MS, undefined, { signal }).catch(error => {
      if (signal?.aborted !== true) throw error
    })
  }
  return undefined
}

/** Aborted by Ctrl-C, or by SIGTERM, from now on. A second one ends the process at once. */
export function stopSignal (): AbortSignal {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  return stop.signal
}

/** For a command that has nothing to lose: it ends soon after `signal`, even where a broker that hangs holds it up. */
export function endSoonAfter (signal: AbortSignal): void {
  signal.addEventListener('abort', () => setTimeout(() => process.exit(), END_TIMEOUT_MS).unref(), { once: true })
}

export function parseCount (text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It takes a whole number from 1.')
  return Number(text)
}

function warnAway (why: string): void {
  process.stderr.write(`warning: Kafka: ${why || 'it does not answer'}; trying again\n`)
}

function sayBack (): void {
  process.stderr.write('Kafka answers again\n')
}
