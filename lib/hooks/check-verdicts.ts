import { WireReader } from '../protocol/wire.js'

// (field number << 3) | wire type of the fields of CheckMessagesResponse and CheckVerdict.
const META = 1 << 3 | 2
const VERDICTS = 2 << 3 | 2
const LAST_FIELD = 2

const ALLOW = 1 << 3 | 0
const REASON = 2 << 3 | 2
const LAST_VERDICT_FIELD = 2

/** What a check hook says of a message. */
export interface CheckVerdict {
  readonly allow: boolean
  /** Why not. */
  readonly reason: string
}

/** Most verdicts are this one: it is made once. */
const ALLOWED: CheckVerdict = Object.freeze({ allow: true, reason: '' })

/**
 * The verdicts in a CheckMessagesResponse of mics.hook.v1, in its order. By hand, because there is one for every
 * message. Undefined: it is not a CheckMessagesResponse. Of more than `maxVerdicts` only the first are looked into, and
 * one more than that is returned.
 */
export function decodeVerdicts (body: Uint8Array, maxVerdicts: number): CheckVerdict[] | undefined {
  const reader = new WireReader(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  const verdicts: CheckVerdict[] = []
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === VERDICTS) {
      if (verdicts.length > maxVerdicts) {
        reader.skip(tag, 1)
        continue
      }
      const outer = reader.enter()
      const verdict = decodeVerdict(reader)
      if (verdict === undefined) return undefined
      reader.end = outer
      verdicts.push(verdict)
    } else if (tag === META) {
      const outer = reader.enter()
      reader.skipFields(2)
      reader.end = outer
    } else if (tag >>> 3 > LAST_FIELD) {
      reader.skip(tag, 1)
    } else {
      return undefined
    }
    // Behind a failure `end` may have been put back, and a loop would go on.
    if (reader.failed) return undefined
  }
  return reader.failed ? undefined : verdicts
}

/** The CheckVerdict up to the reader's end. */
function decodeVerdict (reader: WireReader): CheckVerdict | undefined {
  let allow = false
  let reason = ''
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === ALLOW) allow = reader.bool()
    else if (tag === REASON) reason = reader.string()
    else if (tag >>> 3 > LAST_VERDICT_FIELD) reader.skip(tag, 2)
    else return undefined
  }
  if (reader.failed) return undefined
  return allow && reason === '' ? ALLOWED : { allow, reason }
}
