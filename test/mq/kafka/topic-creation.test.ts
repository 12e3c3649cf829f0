import t from 'tap'
import type { KafkaAdmin, KafkaError } from '../../../lib/mq/kafka/kafka-client.js'
import { TopicCreation, type TopicCreationError } from '../../../lib/mq/kafka/topic-creation.js'
import { TopicLooks } from '../../../lib/mq/kafka/topic-looks.js'
import { until } from '../../helpers/until.js'

const FORBIDDEN = 29

/** Creates topics when it is told to. */
class FakeAdmin {
  readonly topics = new Set<string>()
  readonly asked: string[] = []
  clients = 0
  private answer: ((error?: KafkaError) => void) | undefined

  private readonly looks = new TopicLooks(async topic => this.topics.has(topic) ? 'present' : 'absent', () => {})

  readonly creation = new TopicCreation(
    { AdminClient: { create: () => this.open() } },
    {},
    { partitions: 0, replicationFactor: 0, maxBytes: 1 },
    this.looks,
    code => code === FORBIDDEN ? 'TOPIC_AUTHORIZATION_FAILED' : String(code)
  )

  /** Resolves when all that were asked for before are found missing. */
  async looked (): Promise<void> {
    await this.looks.look(`topic ${this.asked.length}`)
  }

  /** Ends the creation that is under way. */
  async settle (topic: string, isRefused = false): Promise<void> {
    await until(`${topic} is to be created`, () => this.answer !== undefined && this.asked.at(-1) === topic)
    const answer = this.answer
    this.answer = undefined
    if (!isRefused) this.topics.add(topic)
    answer?.(isRefused ? Object.assign(new Error('refused'), { code: FORBIDDEN }) : undefined)
  }

  private open (): KafkaAdmin {
    this.clients++
    return {
      createTopic: ({ topic }, _, done) => {
        this.asked.push(topic)
        this.answer = done
      },
      disconnect: () => { this.clients-- },
    }
  }
}

async function reasonOf (preparation: Promise<void>): Promise<string | undefined> {
  return await preparation.then(() => undefined, (error: TopicCreationError) => error.reason)
}

t.test('topics whose creation was refused before wait for those of others', async t => {
  const admin = new FakeAdmin()
  const { creation } = admin
  const refusal = reasonOf(creation.prepare('refused'))
  await admin.settle('refused', true)
  t.equal(await refusal, 'TOPIC_AUTHORIZATION_FAILED')

  const prepared = ['first', 'refused', 'second'].map(async topic => await creation.prepare(topic))
  await admin.looked()
  for (const topic of ['first', 'second', 'refused']) await admin.settle(topic)
  await Promise.all(prepared)
  t.strictSame(admin.asked, ['refused', 'first', 'second', 'refused'])
  t.ok(creation.has('refused'))
  await until('the client is closed', () => admin.clients === 0)
})

t.test('after the end nothing more is created', async t => {
  const admin = new FakeAdmin()
  const { creation } = admin
  const first = creation.prepare('first')
  const refusal = reasonOf(creation.prepare('second'))
  await admin.looked()
  creation.close()
  await admin.settle('first')
  await first
  t.equal(await refusal, '_DESTROY')
  t.strictSame(admin.asked, ['first'])
  await until('the client is closed', () => admin.clients === 0)
})
