import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { EventRecord, PublishError } from '../../lib/mq/event-transport.js'
import { MemoryEventTransport } from '../../lib/mq/memory-event-transport.js'

const record = (key: string, bytes = 1): EventRecord => ({ topic: 'topic', key, value: Buffer.alloc(bytes), headers: [] })

async function send (
  transport: MemoryEventTransport, ...records: EventRecord[]
): Promise<Array<PublishError | undefined>> {
  return await Promise.all(records.map(async item =>
    await new Promise<PublishError | undefined>(resolve => transport.send(item, resolve))))
}

t.test('records are kept in order, and done later', async t => {
  const transport = new MemoryEventTransport()
  let isDone = false
  transport.send(record('a'), () => { isDone = true })
  t.notOk(isDone)
  t.same(transport.records, [])
  await turn()
  t.ok(isDone)
  t.same(await send(transport, record('b'), record('c')), [undefined, undefined])
  t.same(transport.records.map(({ key }) => key), ['a', 'b', 'c'])
})

t.test('beyond 1000 records or 16 MiB the oldest go', async t => {
  const transport = new MemoryEventTransport()
  await send(transport, ...Array.from({ length: 1005 }, (_, i) => record(String(i))))
  t.equal(transport.records.length, 1000)
  t.equal(transport.records[0].key, '5')
  await send(transport, ...Array.from({ length: 20 }, (_, i) => record(`large${i}`, 1024 * 1024)))
  t.equal(transport.records.length, 16)
  t.equal(transport.records[0].key, 'large4')
})

t.test('subscribers are told of what comes, until they no longer want to', async t => {
  const transport = new MemoryEventTransport()
  await send(transport, record('before'))
  const seen: string[] = []
  const stop = transport.subscribe(({ key }) => seen.push(key))
  await send(transport, record('a'), record('b'))
  stop()
  await send(transport, record('after'))
  t.same(seen, ['a', 'b'])
})

t.test('what is on its way when it ends is given up', async t => {
  const transport = new MemoryEventTransport()
  const outcome = send(transport, record('a'))
  await transport.close()
  t.match(await outcome, [{ fault: 'cluster', reason: 'CLOSED' }])
  t.same(transport.records, [])
})
