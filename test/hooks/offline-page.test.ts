import { create, toBinary } from '@bufbuild/protobuf'
import t from 'tap'
import { GetOfflineMessagesResponseSchema } from '../../lib/gen/mics/hook/v1/hook_pb.js'
import { decodeOfflinePage } from '../../lib/hooks/offline-page.js'

const bytes = (...parts: Array<number | Uint8Array>): Buffer =>
  Buffer.concat(parts.map(part => typeof part === 'number' ? Buffer.from([part]) : part))

/** A message that takes two bytes. */
const EMPTY_MESSAGE = bytes(0x1a, 0)

t.test('a page is what protobuf-es makes of it', async t => {
  const messages = [{ userId: 'dave', msgId: 'm1', msgBody: Buffer.from('x') }, { userId: 'dave', msgId: 'm2' }]
  const response = create(GetOfflineMessagesResponseSchema, {
    meta: { tenantId: 't1' }, ok: true, messages, reason: 'why', nextCursor: 'c2', hasMore: true,
  })
  const body = toBinary(GetOfflineMessagesResponseSchema, response)
  const page = decodeOfflinePage(body, 100)
  t.match(page, { ok: true, nextCursor: 'c2', hasMore: true, isCut: false, byteLength: body.length })
  t.same(page?.messages.map(({ msgId }) => msgId), ['m1', 'm2'])
  t.same(page?.messages[0].msgBody, Buffer.from('x'))
})

t.test('an empty answer is a no', async t => {
  t.match(decodeOfflinePage(new Uint8Array(), 100), { ok: false, messages: [], nextCursor: '', hasMore: false, isCut: false })
})

t.test('messages beyond those asked for are passed over, and what comes after them is read', async t => {
  const page = decodeOfflinePage(bytes(0x10, 1, ...Array<Buffer>(150).fill(EMPTY_MESSAGE), 0x2a, 1, 0x78, 0x30, 1), 100)
  t.equal(page?.messages.length, 100)
  t.match(page, { ok: true, nextCursor: 'x', hasMore: true, isCut: true })
})

t.test('an answer of millions of messages is refused before they are made', async t => {
  t.equal(decodeOfflinePage(Buffer.alloc(8 * 1024 * 1024, EMPTY_MESSAGE), 100), undefined)
})

t.test('what is not protobuf is no page', async t => {
  t.equal(decodeOfflinePage(bytes(0xff, 0xff, 0xff), 100), undefined)
  t.equal(decodeOfflinePage(bytes(0x1a, 5, 1), 100), undefined)
  t.throws(() => decodeOfflinePage(bytes(0x1a, 2, 0x0a, 9), 100))
})
