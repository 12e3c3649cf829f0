import t from 'tap'
import { isPassing } from '../../sdk/client/src/ack-reasons.js'
import { base64url } from '../../sdk/client/src/base64url.js'
import {
  decodeClientFrame, decodeServerFrame, encodeClientFrame, encodeServerFrame, type ClientFrame, type ServerFrame,
} from '../../sdk/client/src/frames.js'
import { Inbox } from '../../sdk/client/src/inbox.js'
import { Listeners } from '../../sdk/client/src/listeners.js'
import { isFinal, reconnectDelayMs } from '../../sdk/client/src/reconnect.js'
import { encodeUtf8 } from '../../sdk/client/src/utf8.js'
import { bytesOf, messageOf, vectors, withoutDefaults, type Fields } from './vectors.js'

const MAX = BigInt(Number.MAX_SAFE_INTEGER)
const MIN = BigInt(Number.MIN_SAFE_INTEGER)

const codecs = [
  ['client-frames', decodeClientFrame, (frame: ClientFrame | ServerFrame) => encodeClientFrame(frame as ClientFrame)],
  ['server-frames', decodeServerFrame, (frame: ClientFrame | ServerFrame) => encodeServerFrame(frame as ServerFrame)],
] as const

for (const [file, decode, encode] of codecs) {
  t.test(`@mics/client reads and writes the ${file} of the vectors`, async t => {
    const { cases, invalid } = vectors(file)
    for (const { name, fields, bytes, canonical } of cases) {
      const frame = decode(bytesOf(bytes))
      t.strictSame(frame === undefined ? {} : { [snake(frame.case)]: fieldsOf(frame.value) }, nearest(fields), name)
      if (frame !== undefined && canonical && isSafe(fields)) {
        t.equal(Buffer.from(encode(frame)).toString('hex'), bytes, `${name}: the bytes`)
      }
    }
    for (const { name, bytes } of invalid.filter(({ lenient }) => lenient !== true)) {
      t.throws(() => decode(bytesOf(bytes)), name)
    }
  })
}

t.test('@mics/client offers tokens as the vectors do', async t => {
  for (const { token, offered } of vectors('subprotocol').tokens) {
    t.equal(`mics.token.${base64url(encodeUtf8(token))}`, offered[1], token)
  }
})

t.test('@mics/client connects again when the vectors say so', async t => {
  const { cases, unknown } = vectors('close-codes')
  for (const { code, reconnect } of cases) t.equal(isFinal(code), !reconnect, String(code))
  for (const code of unknown) t.notOk(isFinal(code), String(code))
  for (const { close_code: code, failures, random, delay_ms: ms } of vectors('reconnect').cases) {
    if (ms !== null) t.equal(reconnectDelayMs(code, failures, random), Math.round(ms), `${code} after ${failures}`)
  }
})

t.test('its delays follow each other as in the sequences of the vectors, anew after each connect_ack', async t => {
  for (const { name, random, steps } of vectors('reconnect').sequences) {
    let failures = 0
    for (const step of steps) {
      if (step.event === 'connect_ack') failures = 0
      else t.equal(reconnectDelayMs(step.code, failures++, random), Math.round(step.delay_ms as number), name)
    }
  }
})

t.test('@mics/client calls those reasons passing after which the vectors send again later', async t => {
  for (const { reason, status, send_again: again } of vectors('ack-reasons').cases) {
    if (status === 1) t.equal(isPassing(reason), again === 'later', reason)
  }
})

t.test('@mics/client knows the repeats of the vectors', async t => {
  for (const { name, deliveries } of vectors('message-identity').sequences) {
    const listeners = new Listeners()
    const inbox = new Inbox(listeners, undefined)
    const events: string[] = []
    listeners.on('message', () => events.push('message'))
    listeners.on('repeat', () => events.push('repeat'))
    for (const { user_id: userId, device_id: deviceId, msg_id: msgId } of deliveries) {
      inbox.receive({ ...messageOf({}), timestampMs: 0, userId, deviceId, msgId }, 'somebody')
    }
    t.strictSame(events, deliveries.map(({ repeat }) => repeat ? 'repeat' : 'message'), name)
  }
})

function fieldsOf (value: object): Fields {
  return withoutDefaults(Object.fromEntries(Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => [snake(name), plain(name, field)])))
}

function plain (name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value === 'object' && value !== null) return fieldsOf(value)
  return name === 'timestampMs' ? String(value) : value
}

function snake (name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** The client takes times as numbers: one that no number holds is the nearest that does. */
function nearest (fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => {
    if (typeof value === 'object') return [name, nearest(value as Fields)]
    if (name !== 'timestamp_ms') return [name, value]
    const time = BigInt(value as string)
    return [name, String(time > MAX ? MAX : time < MIN ? MIN : time)]
  }))
}

function isSafe (fields: Fields): boolean {
  return JSON.stringify(nearest(fields)) === JSON.stringify(fields)
}
