import t from 'tap'
import type { Span } from '../../lib/tracing/span.js'
import { event, fault, headersOf, msgIdOf, setup } from '../mq/queue.js'

/** A span that remembers how it ended. */
class NotedSpan implements Span {
  readonly traceparent = '00-0123456789abcdef0123456789abcdef-b7ad6b7169203331-01'
  end: () => void
  private problem = ''

  constructor (private readonly ended: string[]) {
    this.end = () => { this.ended.push(this.problem) }
  }

  child (): undefined {}
  set (): void {}
  fail (type: string): void { this.problem = type }
}

t.test('the span of an event ends when Kafka has it, and not before', async t => {
  const { queue, transport, settle } = setup()
  const ended: string[] = []
  transport.verdict = () => 'hold'
  queue.publish(event({ span: new NotedSpan(ended) }))
  await settle()
  t.strictSame(ended, [])
  transport.release()
  await settle()
  t.strictSame(ended, [''])
})

t.test('what becomes of an event is in its span', async t => {
  const { queue, transport, settle } = setup({ limits: { maxEventsPerTenant: 3 } })
  const ended: Record<string, string[]> = {}
  const publish = (msgId: string): boolean =>
    queue.publish(event({ msgId, key: msgId, span: new NotedSpan(ended[msgId] = []) }))
  transport.verdict = record => {
    if (msgIdOf(record) === 'ok') return undefined
    return record.topic === 't1' || msgIdOf(record) === 'refused' ? fault('event') : undefined
  }
  for (const msgId of ['ok', 'dead', 'refused', 'too-many']) publish(msgId)
  await settle()
  t.strictSame(ended, { ok: [''], dead: ['dead_lettered'], refused: ['refused'], 'too-many': ['queue_full'] })
  t.equal(headersOf(transport.stored[0]).traceparent, new NotedSpan([]).traceparent)
})

t.test('an event that is with Kafka when the process ends says so', async t => {
  const { queue, transport, settle } = setup()
  const ended: string[] = []
  transport.verdict = () => 'hold'
  queue.publish(event({ span: new NotedSpan(ended) }))
  queue.publish(event({ span: new NotedSpan(ended) }))
  await settle()
  await queue.close(0)
  t.strictSame(ended, ['shutdown', 'shutdown'])
})

t.test('an event that ends with the process says so', async t => {
  const { queue, transport, settle } = setup()
  const ended: string[] = []
  transport.verdict = () => fault('cluster')
  queue.publish(event({ span: new NotedSpan(ended) }))
  await settle()
  await queue.close(0)
  t.strictSame(ended, ['shutdown'])
})

t.test('an event with a span counts for more of the quota', async t => {
  const { queue, metrics } = setup()
  queue.publish(event())
  const { eventsPendingBytes } = metrics('t1')
  queue.publish(event({ span: new NotedSpan([]) }))
  t.equal(metrics('t1').eventsPendingBytes, 2 * eventsPendingBytes + 1024)
  await queue.close(0)
})
