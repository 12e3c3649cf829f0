import { WireReader } from '../protocol/wire.js'
import type { CheckVerdict } from './check-verdicts.js'

// (field number << 3) | wire type of the fields of CheckMessageResponse.
const META = 1 << 3 | 2
const ALLOW = 2 << 3
const REASON = 3 << 3 | 2
const LAST_FIELD = 3

/** Decodes a CheckMessageResponse of mics.hook.v1; undefined for what is none. By hand: one comes for every message. */
export function decodeCheckAnswer (body: Buffer): CheckVerdict | undefined {
  const reader = new WireReader(body)
  let allow = false
  let reason = ''
  while (reader.pos < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case META: {
        const outer = reader.enter()
        reader.skipFields(2)
        reader.end = outer
        break
      }
      case ALLOW:
        allow = reader.bool()
        break
      case REASON:
        reason = reader.string()
        break
      default:
        if (tag >>> 3 > LAST_FIELD) reader.skip(tag, 1)
        else return undefined
    }
  }
  return reader.failed ? undefined : { allow, reason }
}
