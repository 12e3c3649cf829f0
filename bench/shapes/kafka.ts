import { spawnSync } from 'node:child_process'
import type { KafkaServer } from '../../test/helpers/kafka-server.js'
import { Core, pin } from '../cores.js'
import { closedLoop, interleaved } from './closed-loop.js'
import { connectPairs } from './pairs.js'
import { quiet } from './quiet.js'
import { NotPossibleError, type Shape } from './shape.js'

const BODY_BYTES = 128
const WINDOW = 8
const TOPIC = 'im-mics-unchecked-event'
/** Room for the events of a run: a broker that shares the generator's core must not lose any of them. */
const ROOM = '1000000'
const ROOM_BYTES = String(1024 ** 3)

export const kafka: Shape = {
  name: 'kafka',
  title: 'messages between pairs, with events to Kafka and without',
  isLong: true,
  run: async (stage, effort) => {
    const server = await start()
    try {
      pin(Core.LOAD, server.pid)
      await server.createTopic(TOPIC, { partitions: 4 })
      const contestants = [
        await stage.gateway({
          name: 'MICS, Kafka on',
          env: {
            KAFKA_BROKERS: server.brokers,
            KAFKA_MAX_PENDING_PER_TENANT: ROOM,
            KAFKA_QUEUE_CAPACITY: ROOM,
            KAFKA_MAX_PENDING_BYTES_PER_TENANT: ROOM_BYTES,
            KAFKA_QUEUE_MAX_BYTES: ROOM_BYTES,
          },
        }),
        await stage.gateway({ name: 'MICS, Kafka off' }),
      ]
      const runners = await Promise.all(contestants.map(async contestant => {
        const generator = await stage.generator()
        const pairs = await connectPairs(generator, contestant)
        return {
          name: contestant.name,
          run: async () => {
            const run = await closedLoop(generator, contestant, pairs.load(WINDOW, BODY_BYTES), effort)
            // Events of it may still be on their way to Kafka.
            await quiet(contestant.pid)
            return run
          },
        }
      }))
      const [subject, base] = await interleaved(runners, effort.rounds)
      return {
        results: [{
          shape: 'kafka',
          name: `pairs, ${WINDOW} in flight, an event each`,
          unit: 'messages/s',
          subject,
          base,
          note: 'Kafka shares the generator’s core',
        }],
      }
    } finally {
      await server.close()
    }
  },
}

/** Installs what is missing, as the tests do. */
async function start (): Promise<KafkaServer> {
  for (const script of ['scripts/install-kafka.js', 'scripts/install-kafka-client.js']) {
    const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
    if (status !== 0) throw new NotPossibleError(`no Kafka: ${stderr.trim().split('\n')[0]}`)
  }
  // Not before: npm may have left out what it needs, and all other shapes do without.
  const { KafkaServer } = await import('../../test/helpers/kafka-server.js')
  return await KafkaServer.start()
}
