import fc from 'fast-check'
import t from 'tap'
import { createHookHandler, type Signing } from '../../../sdk/hook-server/src/index.js'
import { callOf, SECRET } from './caller.js'

const paths = ['/auth', '/check-message', '/get-group-members', '/get-offline-messages']

/** A handler that sees whatever there is to see of a call. */
function handler (signing: Signing) {
  const errors: unknown[] = []
  const hooks = createHookHandler({
    ...signing,
    authenticate: () => ({ ok: true, userId: 'alice' }),
    checkMessage: ({ message }) => ({ allow: message.text.length >= 0 }),
    getGroupMembers: ({ groupId }) => groupId === '' ? [] : [groupId],
    getOfflineMessages: () => ({ messages: [] }),
    onError: error => errors.push(error),
    logger: { warn () {}, error: (_fields, message) => errors.push(message) },
  })
  return {
    errors,
    post: async (path: string, body: Uint8Array, headers: Record<string, string>) => {
      const request = new Request(`http://x${path}`, { method: 'POST', headers, body: Uint8Array.from(body) })
      return (await hooks.fetch(request)).status
    }
  }
}

const anyBytes = fc.uint8Array({ maxLength: 300 })
const plain = { 'content-type': 'application/protobuf' }

t.test('no bytes make it fail, or get an answer unsigned', async t => {
  const { post, errors } = handler({ secrets: SECRET })
  await fc.assert(fc.asyncProperty(fc.constantFrom(...paths), anyBytes, async (path, bytes) => {
    const status = await post(path, bytes, plain)
    return status === 400 || status === 401
  }))
  t.same(errors, [])
})

t.test('a call with some bytes changed, added or missing is refused', async t => {
  const { post, errors } = handler({ secrets: SECRET })
  const bytes = fc.uint8Array({ maxLength: 20 })
  await fc.assert(fc.asyncProperty(fc.nat(), fc.nat(20), bytes, fc.boolean(), async (at, cut, added, keepsHeaders) => {
    const call = callOf()
    const from = at % (call.body.length + 1)
    const body = Buffer.concat([call.body.subarray(0, from), added, call.body.subarray(from + cut)])
    if (body.equals(Buffer.from(call.body))) return true
    const status = await post('/auth', body, keepsHeaders ? call.headers : plain)
    // A change within `sign` that Base64 or protobuf ignores would be the same signature: there is none.
    return status === 400 || status === 401
  }), { numRuns: 2000 })
  t.same(errors, [])
})

t.test('unsigned calls with any bytes are answered or refused, and nothing fails', async t => {
  const { post, errors } = handler({ allowUnsigned: true })
  await fc.assert(fc.asyncProperty(fc.constantFrom(...paths), anyBytes, async (path, bytes) => {
    const body = callOf({}, { secret: '', fields: bytes }).body
    const status = await post(path, body, plain)
    return status === 200 || status === 400
  }), { numRuns: 1000 })
  t.same(errors, [])
})
