import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { TopicNames } from '../../lib/mq/topic-names.js'
import { utf16 } from '../protocol/wire-arbitraries.js'

const names = new TopicNames('im-mics-{tenant_id}-event', 'im-mics-{tenant_id}-event-dlq')

/** Ids as operators choose them, and ids made to be confused with others. */
const tenantId = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 128 }),
  utf16.filter(id => id !== ''),
  fc.array(fc.constantFrom('-', 'x', '2', '9', 'F', 'f', 'D', '-x', '-xFF', '-x2D', '.', '_', '/', 'é', '-event', '-dlq'),
    { minLength: 1, maxLength: 60 }).map(parts => parts.join('')),
  fc.constantFrom('-', '/', 'é', 'a').chain(unit => fc.integer({ min: 1, max: 300 }).map(length => unit.repeat(length)))
)

t.test('an id of legal characters stays as it is', async t => {
  t.equal(names.event('acme'), 'im-mics-acme-event')
  t.equal(names.deadLetter('acme'), 'im-mics-acme-event-dlq')
  t.equal(names.event('Acme_Corp-2.eu-x'), 'im-mics-Acme_Corp-2.eu-x-event')
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'aZ09._-'), minLength: 1, maxLength: 128 }), (id) => {
    fc.pre(id !== '.' && id !== '..')
    assert.equal(names.event(id), `im-mics-${id}-event`)
  }))
})

t.test('other characters become the bytes of their UTF-8', async t => {
  t.equal(names.event('a b'), 'im-mics-a-x20b-event')
  t.equal(names.event('müller & söhne'), 'im-mics-m-xC3-xBCller-x20-x26-x20s-xC3-xB6hne-event')
  t.equal(names.event('😀'), 'im-mics--xF0-x9F-x98-x80-event')
})

t.test('ids that are no text at all stay different too', async t => {
  t.equal(new Set(['\ud800', '\ud801', '\udc00', '\ufffd'].map(id => names.event(id))).size, 4)
})

t.test('what reads like an escape is escaped', async t => {
  t.equal(names.event('a-x20b'), 'im-mics-a-x2Dx20b-event')
  t.equal(names.event('a-x2gb'), 'im-mics-a-x2gb-event')
  t.equal(names.event('a-xffb'), 'im-mics-a-xffb-event')
})

t.test('an id that is too long ends in a hash', async t => {
  const id = 'é'.repeat(128)
  const topic = names.event(id)
  t.equal(topic.length, 249)
  t.match(topic, /^im-mics-(-xC3-xA9)+.*-xFF[0-9a-f]{64}-event$/)
  t.not(names.event(`${'é'.repeat(127)}e`), topic)
  t.equal(names.event('a'.repeat(128)), `im-mics-${'a'.repeat(128)}-event`, 'legal ids are never that long')
})

t.test('every id gives a legal topic', async () => {
  const templates = ['im-mics-{tenant_id}-event', '{tenant_id}', '{tenant_id}.', `${'p'.repeat(50)}{tenant_id}${'s'.repeat(50)}`]
  for (const template of templates) {
    const names = new TopicNames(template, 'dlq')
    fc.assert(fc.property(fc.oneof(tenantId, fc.constantFrom('.', '..')), (id) => {
      const topic = names.event(id)
      assert.match(topic, /^[a-zA-Z0-9._-]{1,249}$/)
      assert.ok(topic !== '.' && topic !== '..')
    }))
  }
})

t.test('no two ids share a topic, be it of events or of dead letters', async () => {
  fc.assert(fc.property(fc.uniqueArray(tenantId, { maxLength: 30 }), (ids) => {
    const topics = ids.flatMap(id => [names.event(id), names.deadLetter(id)])
    assert.equal(new Set(topics).size, 2 * ids.length)
  }), { numRuns: 500 })
})

t.test('a topic is read back to its id', async () => {
  fc.assert(fc.property(tenantId, (id) => {
    fc.pre(Buffer.from(id).toString() === id)
    const escaped = names.event(id).slice('im-mics-'.length, -'-event'.length)
    fc.pre(!escaped.includes('-xFF'))
    assert.equal(decodeURIComponent(encodeURIComponent(escaped).replace(/-x([0-9A-F]{2})/g, '%$1')), id)
  }), { numRuns: 1000 })
})

t.test('an id cannot be made to look like one that became a hash', async t => {
  const topic = names.event('é'.repeat(128))
  const forged = topic.slice('im-mics-'.length, -'-event'.length)
  t.not(names.event(forged), topic)
})

t.test('the topics of many tenants stay the same', async t => {
  const few = new TopicNames('a-{tenant_id}', 'b-{tenant_id}')
  for (let i = 0; i < 25_000; i++) few.event(`tenant-${i}`)
  t.equal(few.event('tenant-0'), 'a-tenant-0')
  t.equal(few.deadLetter('tenant-24999'), 'b-tenant-24999')
})
