import { WireReader } from '../protocol/wire.js'

// (field number << 3) | wire type of the fields of GetGroupMembersResponse.
const META = 1 << 3 | 2
const USER_IDS = 2 << 3 | 2
const LAST_FIELD = 2

/**
 * The members in a GetGroupMembersResponse of mics.hook.v1, decoded as they are taken: a group may have 200,000, and
 * to make all those strings at once would hold up every other connection.
 */
export class GroupMembers {
  /** How many ids `take` returns in all. */
  readonly count: number
  /** Memory that is held as long as this is. */
  readonly byteLength: number
  private readonly reader: WireReader

  private constructor (body: Buffer, count: number) {
    this.count = count
    this.byteLength = body.length
    this.reader = new WireReader(body)
  }

  get isAtEnd (): boolean {
    return this.reader.pos >= this.reader.end
  }

  /**
   * Checks the whole body in one pass that makes no strings. Undefined: not a GetGroupMembersResponse, which includes
   * ids that are not UTF-8. Keeps `body`, which must not change.
   */
  static parse (body: Uint8Array): GroupMembers | undefined {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const reader = new WireReader(bytes)
    let count = 0
    while (reader.pos < reader.end) {
      const tag = reader.tag()
      if (tag === USER_IDS) {
        reader.skipString()
        count++
      } else if (tag === META) {
        const outer = reader.enter()
        reader.skipFields(2)
        reader.end = outer
      } else if (tag >>> 3 > LAST_FIELD) {
        reader.skip(tag, 1)
      } else {
        return undefined
      }
    }
    return reader.failed ? undefined : new GroupMembers(bytes, count)
  }

  /** The next ids, at most `n`, in the order of the response; duplicates and empty ones as they come. */
  take (n: number): string[] {
    const reader = this.reader
    const ids: string[] = []
    while (ids.length < n && reader.pos < reader.end) {
      const tag = reader.tag()
      if (tag === USER_IDS) {
        ids.push(reader.string())
      } else {
        reader.skip(tag, 1)
      }
    }
    return ids
  }
}
