import type { KafkaClient } from './kafka-client.js'

// Not a literal where it is imported: that would make the compiler look for a package that need not be there.
const packageName: string = '@confluentinc/kafka-javascript'

/** Kafka is configured, and its client cannot be used. `cause` is why. */
export class KafkaClientError extends Error {
  readonly code = 'MICS_KAFKA_CLIENT_UNUSABLE'

  constructor (isMissing: boolean, cause: unknown) {
    const problem = isMissing ? 'is not installed' : `is installed, and cannot be loaded (${firstLine(cause)})`
    super(`events need the Kafka client ${packageName}, which ${problem}: run \`npm install ${packageName}\`; ` +
      'where its prebuilt binary cannot be had, `npm run kafka:client` builds it', { cause })
    this.name = 'KafkaClientError'
  }
}

/**
 * The Kafka client, a native module and an optional dependency: loaded only where Kafka is configured.
 * @param load stands in for the import, in tests
 * @throws {KafkaClientError} when it is not there, or its binary cannot be loaded.
 */
export async function loadKafkaClient (
  load: () => Promise<unknown> = async () => await import(packageName)
): Promise<KafkaClient> {
  try {
    const { default: client } = await load() as { default: KafkaClient }
    return client
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new KafkaClientError(code === 'ERR_MODULE_NOT_FOUND' && message.includes(packageName), error)
  }
}

/** Without the paths that were tried and the modules that asked, which some have behind it. */
function firstLine (error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]
}
