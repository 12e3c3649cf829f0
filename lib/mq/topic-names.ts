import { createHash } from 'node:crypto'

/** Kafka's own bound, in characters. */
export const MAX_TOPIC_LENGTH = 249

/** Tenants whose topics are remembered. */
const MAX_REMEMBERED = 10_000

/**
 * Begins an escape: two hex digits in capitals follow, a byte. A minus and not an underscore, because Kafka refuses
 * topics that differ only in `_` and `.`.
 */
const MARK = '-x'

/** No byte of UTF-8: what begins an id that became a hash, and nothing else. */
const HASH_MARK = `${MARK}FF`

const HASH_LENGTH = 64

interface Topics {
  readonly event: string
  readonly deadLetter: string
}

/**
 * The topics of tenants. Tenant ids are any text, so what a topic cannot have is escaped: no two tenants ever share a
 * topic, and no tenant's event topic is a dead letter topic.
 *
 * - An id of legal characters (`a` to `z`, `A` to `Z`, digits, `.`, `_`, `-`) stays as it is.
 * - Each byte of an illegal character's UTF-8 becomes `-x` and two hex digits in capitals. Where an id itself has what
 *   reads like that, its minus is escaped (`-x2D`), so that every name is read back in one way only. The ids `.` and
 *   `..`, which are no topics, have their dots escaped.
 * - Where the topic were longer than 249 characters, the id ends where there is no more room for `-xFF` and the 64 hex
 *   digits of the SHA-256 of the whole id. FF is no byte of UTF-8, so no other id comes out with `-xFF` in it.
 */
export class TopicNames {
  private readonly eventParts: [prefix: string, suffix: string]
  private readonly deadLetterParts: [prefix: string, suffix: string]
  private readonly remembered = new Map<string, Topics>()

  /**
   * The templates are those that the configuration takes: `{tenant_id}` once, at most 100 legal characters beside it,
   * and the two begin or end so differently that no name fits both.
   * @param eventTemplate such as `im-mics-{tenant_id}-event`
   * @param deadLetterTemplate such as `im-mics-{tenant_id}-event-dlq`
   */
  constructor (eventTemplate: string, deadLetterTemplate: string) {
    this.eventParts = partsOf(eventTemplate)
    this.deadLetterParts = partsOf(deadLetterTemplate)
  }

  event (tenantId: string): string {
    return this.of(tenantId).event
  }

  deadLetter (tenantId: string): string {
    return this.of(tenantId).deadLetter
  }

  private of (tenantId: string): Topics {
    let topics = this.remembered.get(tenantId)
    if (topics === undefined) {
      topics = { event: topicOf(tenantId, this.eventParts), deadLetter: topicOf(tenantId, this.deadLetterParts) }
      if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear()
      this.remembered.set(tenantId, topics)
    }
    return topics
  }
}

function partsOf (template: string): [prefix: string, suffix: string] {
  const [prefix = '', suffix = ''] = template.split('{tenant_id}')
  return [prefix, suffix]
}

function topicOf (tenantId: string, [prefix, suffix]: [string, string]): string {
  const room = MAX_TOPIC_LENGTH - prefix.length - suffix.length
  const escaped = escape(tenantId)
  if (escaped.length <= room) return prefix + escaped + suffix
  const hash = createHash('sha256').update(bytesOf(tenantId)).digest('hex')
  return prefix + escaped.slice(0, room - HASH_MARK.length - HASH_LENGTH) + HASH_MARK + hash + suffix
}

function escape (tenantId: string): string {
  if (tenantId === '.' || tenantId === '..') return escapeBytes(tenantId)
  return tenantId.replace(/-(?=x[0-9A-F]{2})|[^a-zA-Z0-9._-]/gu, escapeBytes)
}

function escapeBytes (text: string): string {
  return bytesOf(text).toString('hex').toUpperCase().replace(/../g, `${MARK}$&`)
}

/**
 * UTF-8, and lone surrogates written by the same rule, although it has no place for them: Node would write U+FFFD for
 * each, and different ids would become one.
 */
function bytesOf (text: string): Buffer {
  return Buffer.concat(Array.from(text, character => {
    const code = character.charCodeAt(0)
    const isLone = character.length === 1 && code >= 0xd800 && code <= 0xdfff
    if (!isLone) return Buffer.from(character)
    return Buffer.from([0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f])
  }))
}
