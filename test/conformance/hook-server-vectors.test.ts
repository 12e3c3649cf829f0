import t from 'tap'
import { createHookHandler, type AuthenticateAnswer, type CheckMessageAnswer } from '../../sdk/hook-server/src/index.js'
import { readEnvelope } from '../../sdk/hook-server/src/envelope.js'
import { openEvent } from '../../sdk/hook-server/src/open-event.js'
import { headerSignatureMatches, metaSignMatches } from '../../sdk/hook-server/src/signature.js'
import { topicName } from '../../sdk/hook-server/src/topic-name.js'
import { bytesOf, vectors, type Fields } from './vectors.js'

const { cases } = vectors('hooks')
const signatures = vectors('signatures')
const events = vectors('events')

t.test('@mics/hook-server takes the signatures that the vectors do', async t => {
  for (const { name, secret, body } of signatures.meta_sign) t.ok(isMetaSigned(body, [secret]), name)
  for (const { name, secret, timestamp_ms: time, body, signature } of signatures.header) {
    t.ok(headerSignatureMatches(signature, time, bytesOf(body), [secret]), name)
  }
  for (const { name, secrets, headers, body, accepted } of signatures.calls) {
    t.equal(isMetaSigned(body, secrets), accepted.meta_sign, name)
    const { 'x-mics-signature': signature, 'x-mics-timestamp': timestamp } = headers
    t.equal(headerSignatureMatches(signature, timestamp, bytesOf(body), secrets), accepted.header, name)
  }
})

t.test('@mics/hook-server hands the requests of the vectors to its handlers', async t => {
  const requests = cases.filter(({ direction, fields }) => direction === 'request' && 'meta' in fields)
  for (const { name, hook, bytes, fields } of requests) {
    const calls: Fields[] = []
    const { status } = await answer(hook, bytesOf(bytes), call => {
      calls.push(call)
      return {}
    })
    const { meta, message, messages, ...own } = fields as { meta: Fields, message?: Fields, messages?: Fields[] }
    t.ok(status === 200 || calls.length === 1, name)
    const { timestamp_ms: calledAt, ...ids } = meta
    t.match(calls, [{ ...camel(ids), timestampMs: Number(calledAt) }], name)
    t.match(calls[0], camel(own), name)
    const given = (calls[0].messages ?? [calls[0].message].filter(one => one !== undefined)) as Fields[]
    const wanted = messages ?? [message].filter(one => one !== undefined)
    t.equal(given.length, wanted.length, name)
    for (const [i, { msg_type: type = 0, msg_body: body = '', timestamp_ms: time, tenant_id: _, ...others }] of wanted.entries()) {
      const kind = ['SINGLE_CHAT', 'GROUP_CHAT'][type as number]
      t.match(given[i], { ...camel(others), type: kind, timestampMs: Number(time) }, name)
      t.equal(Buffer.from(given[i].body as Uint8Array).toString('hex'), body, name)
    }
  }
})

t.test('@mics/hook-server answers with the bytes of the vectors', async t => {
  const written = cases.filter(({ hook, direction, fields }) => direction === 'response' &&
    (hook === 'auth' || hook.startsWith('check-message') || (hook === 'get-group-members' && !(fields.user_ids as string[])?.includes(''))))
  t.ok(written.length > 8)
  for (const { name, hook, bytes, fields } of written) {
    const verdicts = (fields.verdicts ?? []) as Fields[]
    const request = hook === 'check-messages'
      ? requestAbout(verdicts.length)
      : bytesOf(cases.find(one => one.hook === hook && one.direction === 'request')?.bytes ?? '')
    const given = hook === 'get-group-members'
      ? fields.user_ids ?? []
      : hook === 'check-messages'
        ? verdicts.map(verdict => ({ allow: false, ...verdict }))
        : { ok: false, allow: false, ...camel(fields) }
    const { status, body } = await answer(hook, request, () => given)
    t.equal(status, 200, name)
    // It repeats the meta of the request, which nobody looks at: the first field, here of less than 128 bytes.
    const meta = request.subarray(0, 2 + request[1]).toString('hex')
    t.equal(Buffer.from(body).toString('hex'), meta + bytes, name)
  }
})

t.test('@mics/hook-server opens the events of the vectors, and no other', async t => {
  for (const { name, secret, bytes, fields, topic, dead_letter_topic: deadLetter } of events.cases) {
    const event = await openEvent(bytesOf(bytes), secret === '' ? { allowUnsigned: true } : { secrets: [secret] })
    const { event_type: _, event_data: __, sign: ___, timestamp, ...others } = fields
    t.match(event, { ...camel(others), timestampMs: Number(timestamp) }, name)
    t.equal(topicName('im-mics-{tenant_id}-event', event.tenantId), topic, name)
    t.equal(topicName('im-mics-{tenant_id}-event-dlq', event.tenantId), deadLetter, name)
  }
  for (const { name, secrets, bytes, accepted } of events.verify) {
    const opened = openEvent(bytesOf(bytes), { secrets })
    if (accepted) await t.resolves(opened, name)
    else await t.rejects(opened, { code: 'MICS_INVALID_EVENT' }, name)
  }
  for (const { tenant_id: tenantId, topic } of events.topics) {
    t.equal(topicName('im-mics-{tenant_id}-event', tenantId), topic, tenantId)
  }
})

/** The vector of a call about so many messages. */
function requestAbout (count: number): Buffer {
  const found = cases.find(({ hook, direction, fields }) =>
    hook === 'check-messages' && direction === 'request' && ((fields.messages ?? []) as Fields[]).length === count)
  return bytesOf(found?.bytes ?? '')
}

function isMetaSigned (body: string, secrets: string[]): boolean {
  try {
    return metaSignMatches(readEnvelope(bytesOf(body)), secrets)
  } catch {
    return false // There is no meta.
  }
}

/** What the handler of a tenant without signatures makes of a call. */
async function answer (
  hook: string, body: Uint8Array, handle: (call: Fields) => unknown
): Promise<{ status: number, body: Uint8Array }> {
  const hooks = createHookHandler({
    allowUnsigned: true,
    onError: () => {},
    authenticate: call => handle({ ...call }) as AuthenticateAnswer,
    checkMessage: call => handle({ ...call }) as CheckMessageAnswer,
    checkMessages: call => handle({ ...call }) as CheckMessageAnswer[],
    getGroupMembers: call => handle({ ...call }) as string[],
    getOfflineMessages: call => handle({ ...call }) as { messages: [] },
  })
  return await hooks.answer({
    method: 'POST',
    path: `/${hook}`,
    headerOf: name => name === 'content-type' ? 'application/protobuf' : undefined,
    readBody: async () => body,
    signal: new AbortController().signal,
  })
}

function camel (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    typeof value === 'object' && value !== null && !Array.isArray(value) ? camel(value as Fields) : value,
  ]))
}
