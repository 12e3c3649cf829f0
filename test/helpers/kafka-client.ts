import kafka, { type IAdminClient, type Metadata, type Producer } from '@confluentinc/kafka-javascript'

type Callback<T> = (error: unknown, result: T) => void

/** How long a broker may take to answer, on a machine with much else to do. Milliseconds. */
export const KAFKA_PATIENCE = 30_000

/** Settings of every client of the tests: a broker that comes back is noticed soon, and nothing goes to stderr. */
export function clientSettings (brokers: string): Record<string, string | number> {
  return {
    'bootstrap.servers': brokers,
    'reconnect.backoff.ms': 20,
    'reconnect.backoff.max.ms': 200,
    log_level: 0,
  }
}

/** Connects for the time of `use`. Rejects when the broker has not answered within `timeoutMs`. */
export async function withKafkaClient<T> (
  brokers: string, use: (client: Producer, admin: IAdminClient) => Promise<T>, timeoutMs = KAFKA_PATIENCE
): Promise<T> {
  const client = new kafka.Producer(clientSettings(brokers), {})
  await promised<Metadata>(done => client.connect({ allTopics: true, timeout: timeoutMs }, done))
  try {
    return await use(client, kafka.AdminClient.createFrom(client))
  } finally {
    await promised(done => client.disconnect(done))
  }
}

/** What the cluster says of its brokers and topics. */
export async function metadataOf (client: Producer): Promise<Metadata> {
  return await promised(done => client.getMetadata({ allTopics: true, timeout: KAFKA_PATIENCE }, done))
}

/** What a callback of Kafka's client brings. */
export async function promised<T> (call: (done: Callback<T>) => void): Promise<T> {
  return await new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === null || error === undefined) resolve(result)
      else reject(error)
    })
  })
}
