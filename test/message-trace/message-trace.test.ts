import t from 'tap'
import { MessageTrace } from '../../lib/message-trace/message-trace.js'
import { note, noteAtOnce, noteDevice, noteHanded, noteRecipient, noteWritten } from '../../lib/message-trace/note.js'
import { MAX_RECIPIENT_STEPS, MAX_STEPS } from '../../lib/message-trace/trace-record.js'
import type { Message } from '../../lib/protocol/message.js'
import { aMessage } from '../helpers/message.js'

function setup (capacity: number) {
  const clock = { time: 1000 }
  const trace = new MessageTrace(capacity, () => clock.time)
  const begin = (tenantId: string, msgId: string, fields: Partial<Message> = {}): Message => {
    const message = aMessage({ tenantId, msgId, ...fields })
    trace.begin(message, 'client', 'trace-1')
    return message
  }
  const held = (tenantId: string, ids: string[]): string[] => ids.filter(id => trace.find(tenantId, id).length > 0)
  return { trace, clock, begin, held }
}

const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`)

t.test('what is noted of a message is found by its tenant and id, with its times', async t => {
  const { trace, clock, begin } = setup(10)
  const message = begin('t1', 'm1')
  begin('t2', 'm1')
  noteAtOnce(message, 'validate', 'ok')
  clock.time += 7
  note(message, 'check_hook', 'refused', 'spam')
  noteAtOnce(message, 'ack', 'FAILED')
  const [record, ...more] = trace.find('t1', 'm1')
  t.same(more, [])
  t.match(record, { origin: 'client', userId: 'alice', deviceId: 'd1', toUserId: 'bob', bodyBytes: 5, traceId: 'trace-1' })
  t.match(record.steps.map(({ stage, result, detail, at }) => [stage, result, detail, at - record.startedAt]), [
    ['validate', 'ok', '', 0], ['check_hook', 'refused', 'spam', 7], ['ack', 'FAILED', '', 7],
  ])
  t.same(trace.find('t1', 'm2'), [])
  t.same(trace.find('t3', 'm1'), [])
})

t.test('nothing of the body is kept, and no message', async t => {
  const { trace, begin } = setup(10)
  const message = begin('t1', 'm1', { msgBody: Buffer.from('a secret between two') })
  noteRecipient(message, 'buffer', 'kept here', 'bob')
  noteHanded(message, 'bob', 'd1')
  const [record] = trace.find('t1', 'm1')
  t.notMatch(JSON.stringify({ ...record, steps: record.steps }), 'secret')
  const seen = new Set<unknown>()
  const reaches = (value: unknown): boolean => {
    if (value === message || value === message.msgBody) return true
    if (typeof value !== 'object' || value === null || seen.has(value)) return false
    seen.add(value)
    return Object.values(value).some(reaches)
  }
  t.notOk(reaches(record))
})

t.test('the newest of a tenant take the place of its oldest', async t => {
  const { trace, begin, held } = setup(3)
  for (const id of ids('m', 5)) begin('t1', id)
  t.same(held('t1', ids('m', 5)), ['m2', 'm3', 'm4'])
  t.equal(trace.size, 3)
  t.equal(trace.replaced, 2)
})

t.test("what comes late for a message that is no more held is not noted as another's", async t => {
  const { trace, begin } = setup(1)
  const first = begin('t1', 'm1')
  begin('t1', 'm2')
  note(first, 'ack', 'SENT')
  noteDevice(first, 'closed', 'lost', 'bob', 'd1')
  noteHanded(first, 'bob', 'd1')
  noteWritten(first, 'bob', 'd1')
  t.same(trace.find('t1', 'm2').flatMap(({ steps }) => steps), [])
})

t.test("one tenant's flood wipes out its own past and no other's", async t => {
  const { trace, begin, held } = setup(100)
  for (const id of ids('q', 20)) begin('quiet', id)
  for (const id of ids('f', 10_000)) begin('flood', id)
  t.same(held('quiet', ids('q', 20)), ids('q', 20))
  for (const id of ids('n', 20)) begin('newcomer', id)
  t.same(held('newcomer', ids('n', 20)), ids('n', 20), 'who comes in the flood gets its share of it')
  t.same(held('quiet', ids('q', 20)), ids('q', 20))
  t.equal(held('flood', ids('f', 10_000)).length, 60)
  t.equal(trace.size, 100)
})

t.test('tenants that all send much have a like share in the end', async t => {
  const { begin, held } = setup(90)
  for (let i = 0; i < 200; i++) begin('a', `m${i}`)
  for (let i = 0; i < 200; i++) for (const tenant of ['b', 'c']) begin(tenant, `m${i}`)
  t.same(['a', 'b', 'c'].map(tenant => held(tenant, ids('m', 200)).length), [30, 30, 30])
})

t.test('more tenants than there is room for each have their latest for a while', async t => {
  const { trace, begin, held } = setup(10)
  for (const tenant of ids('t', 1000)) begin(tenant, 'm')
  t.equal(trace.size, 10)
  t.equal(ids('t', 1000).filter(tenant => held(tenant, ['m']).length > 0).length, 10)
  t.same(held('t999', ['m']), ['m'])
})

t.test('a message has a bounded number of steps, of which recipients leave some for the ack', async t => {
  const { trace, begin } = setup(1)
  const message = begin('t1', 'm1', { toUserId: '', groupId: 'g' })
  for (const user of ids('u', 1000)) noteRecipient(message, 'skipped', 'not kept', user)
  for (const user of ids('u', 1000)) {
    noteHanded(message, user, 'd1')
    noteWritten(message, user, 'd1')
  }
  note(message, 'ack', 'SENT')
  const [record] = trace.find('t1', 'm1')
  t.equal(record.steps.length, MAX_RECIPIENT_STEPS + 1)
  t.equal(record.steps.at(-1)?.stage, 'ack')
  t.match(record, { leftOut: 1000 - MAX_RECIPIENT_STEPS, devices: 1000, written: 1000 })
  for (let i = 0; i < 100; i++) note(message, 'ack', 'SENT')
  t.equal(record.steps.length, MAX_STEPS)
})

t.test('a record that is used again has nothing of the message before', async t => {
  const { trace, begin } = setup(1)
  const first = begin('t1', 'm1', { groupId: 'g' })
  noteRecipient(first, 'skipped', 'not kept', 'bob', 'b#1', 'why', 3)
  noteHanded(first, 'bob', 'd1')
  trace.find('t1', 'm1')[0].conclude({ delivered: 1, notified: 2, buffered: 3, skipped: 4 })
  note(begin('t1', 'm2'), 'ack', 'SENT')
  const [record] = trace.find('t1', 'm2')
  t.match(record, { groupId: '', delivered: 0, notified: 0, buffered: 0, skipped: 0, devices: 0, written: 0, leftOut: 0 })
  t.match(record.steps, [{ stage: 'ack', result: 'SENT', detail: '', userId: '', deviceId: '', member: '', count: 0 }])
  t.equal(record.steps.length, 1)
})

t.test('ids too long to be kept are not, and a long text is cut', async t => {
  const { trace, begin } = setup(2)
  begin('t1', 'm'.repeat(2000))
  t.equal(trace.size, 0)
  const message = begin('t1', 'm1')
  noteRecipient(message, 'buffer', 'kept here', 'u'.repeat(5000), '', 'd'.repeat(5000))
  const [step] = trace.find('t1', 'm1')[0].steps
  t.same([step.userId.length, step.detail.length], [256, 256])
})

t.test('with no room nothing is traced', async t => {
  const { trace, begin } = setup(0)
  const message = begin('t1', 'm1')
  note(message, 'ack', 'SENT')
  t.same(trace.find('t1', 'm1'), [])
  t.equal(trace.size, 0)
  t.equal(message.trace, undefined)
})
