import assert from 'node:assert/strict'
import { create, toBinary } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import t from 'tap'
import { GetGroupMembersResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { GroupMembers } from '../../lib/hooks/group-members.js'
import {
  damaged, embedded, group, overlong, prefixed, tagged, text, unknownField, varint,
} from '../protocol/wire-arbitraries.js'

function response (userIds: string[]): Uint8Array {
  return toBinary(GetGroupMembersResponseSchema, create(GetGroupMembersResponseSchema, {
    meta: { tenantId: 'acme', requestId: 'r1', timestampMs: 1_760_000_000_123n },
    userIds,
  }))
}

function all (body: Uint8Array, step = 7): string[] | undefined {
  const members = GroupMembers.parse(embedded(body))
  if (members === undefined) return undefined
  const ids: string[] = []
  for (let some = members.take(step); some.length > 0; some = members.take(step)) {
    assert.ok(some.length <= step)
    ids.push(...some)
  }
  assert.equal(ids.length, members.count)
  assert.deepEqual(members.take(step), [])
  return ids
}

/** The ids as protobuf-es' reader finds them; throws where it does. */
function reference (body: Uint8Array): string[] {
  const reader = new BinaryReader(body)
  const ids: string[] = []
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag()
    if (no === 2) ids.push(reader.string(true))
    else reader.skip(type, no)
  }
  return ids
}

t.test('the members come in order, as many at a time as asked for', async (t) => {
  const members = GroupMembers.parse(response(['ann', 'bob', 'zoë', 'ann', '😀']))
  t.equal(members?.count, 5)
  t.strictSame(members?.take(2), ['ann', 'bob'])
  t.strictSame(members?.take(0), [])
  t.strictSame(members?.take(1), ['zoë'])
  t.strictSame(members?.take(100), ['ann', '😀'])
  t.strictSame(members?.take(100), [])
})

t.test('a group without members', async (t) => {
  t.strictSame(all(new Uint8Array()), [])
  t.strictSame(all(response([])), [])
})

t.test('empty ids count, so that a body full of them is a large group and not endless work', async (t) => {
  t.strictSame(all(response(['', 'ann', '', '', 'bob', '']), 1), ['', 'ann', '', '', 'bob', ''])
  t.equal(GroupMembers.parse(Buffer.alloc(1000, Buffer.from([0x12, 0])))?.count, 500)
})

t.test('a body that is not a Buffer, within a larger one', async (t) => {
  const body = response(['ann', 'bob'])
  const large = new Uint8Array(body.length + 20).fill(0xff)
  large.set(body, 10)
  t.strictSame(GroupMembers.parse(large.subarray(10, 10 + body.length))?.take(9), ['ann', 'bob'])
})

t.test('200,000 members', async (t) => {
  const ids = Array.from({ length: 200_000 }, (_, i) => `user-${i}`)
  t.ok(all(response(ids), 256)?.every((id, i) => id === ids[i]))
})

t.test('not a GetGroupMembersResponse', async (t) => {
  const ann = prefixed(2, Buffer.from('ann'))
  const cases: Record<string, Uint8Array> = {
    text: Buffer.from('{"user_ids":["ann"]}'),
    'an id as a varint': tagged(2, WireType.Varint, varint(1n)),
    'the meta as a varint': Buffer.concat([tagged(1, WireType.Varint, varint(1n)), ann]),
    'a meta that is no message': Buffer.concat([prefixed(1, Buffer.from([0xff])), ann]),
    'a meta whose field ends after it': Buffer.concat([Buffer.from([0x0a, 2, 0x0a, 5]), ann]),
    'an id that is not UTF-8': Buffer.concat([ann, prefixed(2, Buffer.from([0x61, 0xff]))]),
    'a long id that is not UTF-8': prefixed(2, Buffer.alloc(1000, 0xff)),
    'an id past the end': Buffer.concat([ann, Buffer.from([0x12, 4, 0x61])]),
    'a huge length': Buffer.concat([ann, Buffer.from([0x12]), varint(2n ** 32n)]),
    'field number 0': Buffer.concat([ann, Buffer.from([0x00, 0x00])]),
    'a group without an end': Buffer.concat([ann, Buffer.from([0x1b])]),
  }
  for (const [name, body] of Object.entries(cases)) t.equal(GroupMembers.parse(embedded(body)), undefined, name)
})

const idField = fc.tuple(text, fc.constantFrom(0, 0, 0, 1, 8))
  .map(([id, padding]) => overlong(2, Buffer.from(id), padding))
const metaText = text.map((value) => prefixed(2, Buffer.from(value)))
const metaField = fc.array(fc.oneof(unknownField(6), metaText), { maxLength: 3 })
  .map((fields) => prefixed(1, Buffer.concat(fields)))
const body: fc.Arbitrary<Uint8Array> = fc.array(fc.oneof(
  { weight: 5, arbitrary: idField },
  { weight: 1, arbitrary: metaField },
  { weight: 1, arbitrary: unknownField(3) },
  { weight: 1, arbitrary: fc.constant(group(9, [prefixed(2, Buffer.from('not a member'))])) }
), { maxLength: 20 }).map((fields) => Buffer.concat(fields))

t.test('valid responses in every spelling', async () => {
  fc.assert(fc.property(body, fc.integer({ min: 1, max: 8 }), (body, step) => {
    assert.deepEqual(all(body, step), reference(body))
  }), { numRuns: 1000 })
})

t.test('damaged responses never throw, and none is misread', async (t) => {
  let accepted = 0
  fc.assert(fc.property(damaged(body), (body) => {
    const ids = all(body)
    if (ids === undefined) return
    accepted++
    assert.deepEqual(ids, reference(body))
  }), { numRuns: 2000 })
  t.ok(accepted > 50, 'the damage leaves some responses valid')
})

t.test('a response cut anywhere is refused, or is what is left of it', async () => {
  const whole = Buffer.concat([response(['ann', 'zoë']), group(9, [prefixed(2, Buffer.from('x'))])])
  for (let end = 0; end < whole.length; end++) {
    const ids = all(whole.subarray(0, end))
    if (ids !== undefined) assert.deepEqual(ids, reference(whole.subarray(0, end)))
  }
})
