import { WireReader } from '../protocol/wire.js'

// (field number << 3) | wire type. `meta` is the same field of both responses.
const META = 1 << 3 | 2

// CheckMessageResponse
const ANSWER_ALLOW = 2 << 3
const ANSWER_REASON = 3 << 3 | 2
const LAST_ANSWER_FIELD = 3

// CheckMessagesResponse
const VERDICTS = 2 << 3 | 2
const LAST_VERDICTS_FIELD = 2

// CheckVerdict
const ALLOW = 1 << 3
const REASON = 2 << 3 | 2
const LAST_FIELD = 2

/** What a check hook says of a message. */
export interface CheckVerdict {
  readonly allow: boolean
  /** Why not. */
  readonly reason: string
}

/** Most verdicts are this one: it is made once. */
const ALLOWED: CheckVerdict = Object.freeze({ allow: true, reason: '' })

/**
 * The verdict in a CheckMessageResponse of mics.hook.v1; undefined: it is none. Like the others here by hand, because
 * there is one for every message.
 */
export function decodeVerdict (body: Buffer): CheckVerdict | undefined {
  const reader = new WireReader(body)
  let allow = false
  let reason = ''
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === ANSWER_ALLOW) allow = reader.bool()
    else if (tag === ANSWER_REASON) reason = reader.string()
    else if (tag === META) skipMeta(reader)
    else if (tag >>> 3 > LAST_ANSWER_FIELD) reader.skip(tag, 1)
    else return undefined
    // Behind a failure `end` may have been put back, and a loop would go on.
    if (reader.failed) return undefined
  }
  return verdictOf(allow, reason)
}

/**
 * The verdicts in a CheckMessagesResponse of mics.hook.v1, in its order. Undefined: it is no CheckMessagesResponse. Of
 * more than `maxVerdicts` only the first are looked into, and one more than that is returned.
 */
export function decodeVerdicts (body: Buffer, maxVerdicts: number): CheckVerdict[] | undefined {
  const reader = new WireReader(body)
  const verdicts: CheckVerdict[] = []
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === VERDICTS && verdicts.length <= maxVerdicts) {
      const outer = reader.enter()
      const verdict = readVerdict(reader)
      if (verdict === undefined) return undefined
      reader.end = outer
      verdicts.push(verdict)
    } else if (tag === META) {
      skipMeta(reader)
    } else if (tag === VERDICTS || tag >>> 3 > LAST_VERDICTS_FIELD) {
      reader.skip(tag, 1)
    } else {
      return undefined
    }
    if (reader.failed) return undefined
  }
  return verdicts
}

/** The CheckVerdict up to the reader's end. */
function readVerdict (reader: WireReader): CheckVerdict | undefined {
  let allow = false
  let reason = ''
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    if (tag === ALLOW) allow = reader.bool()
    else if (tag === REASON) reason = reader.string()
    else if (tag >>> 3 > LAST_FIELD) reader.skip(tag, 2)
    else return undefined
  }
  return reader.failed ? undefined : verdictOf(allow, reason)
}

/** Nobody looks at the `meta` of a response. */
function skipMeta (reader: WireReader): void {
  const outer = reader.enter()
  reader.skipFields(2)
  reader.end = outer
}

function verdictOf (allow: boolean, reason: string): CheckVerdict {
  return allow && reason === '' ? ALLOWED : { allow, reason }
}
