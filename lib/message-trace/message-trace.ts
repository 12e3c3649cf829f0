import { idsLength, MAX_TRACED_IDS_LENGTH, type Message } from '../protocol/message.js'
import { TenantRecords } from './tenant-records.js'
import { TraceRecord, type TraceOrigin } from './trace-record.js'

/** Tenants looked at to find one that holds more than its share. */
const MAX_LOOKS = 64

/**
 * What became of the latest messages of this node: who to whom, each stage's verdict, each recipient's outcome; never a
 * body. Bounded by the number of messages, and fair: when it is full a tenant that has its share gives its own oldest,
 * one that has less gets the oldest of one that has more. So a flood wipes out its own tenant's past, and no other's.
 */
export class MessageTrace {
  /** Messages that have given way to newer ones. */
  replaced = 0
  /** Messages held now. */
  size = 0
  private readonly tenants = new Map<string, TenantRecords>()
  private lastTicket = 0
  /** One that had its share or more when last looked at. */
  private heavy?: TenantRecords
  private looks: Iterator<TenantRecords>

  /**
   * @param capacity messages; 0: none is traced
   * @param clock milliseconds, by a clock that nobody sets
   */
  constructor (readonly capacity: number, readonly clock: () => number = performance.now.bind(performance)) {
    this.looks = this.tenants.values()
  }

  /** The message has come; from now on what is noted of it is kept. */
  begin (message: Message, origin: TraceOrigin, traceId = ''): void {
    if (this.capacity === 0 || idsLength(message) > MAX_TRACED_IDS_LENGTH) return
    const own = this.of(message.tenantId)
    const record = this.size < this.capacity ? this.grow() : this.replace(own)
    const ticket = ++this.lastTicket
    record.begin(ticket, message, origin, traceId)
    own.append(record)
    message.trace = record
    message.traceTicket = ticket
  }

  /** All that is known of a tenant's messages with this id, oldest first. */
  find (tenantId: string, msgId: string): TraceRecord[] {
    return [...this.tenants.get(tenantId) ?? []].filter(record => record.msgId === msgId)
  }

  /** When the tenant's oldest traced message came, by the clock; undefined: there is none. */
  oldestOf (tenantId: string): number | undefined {
    return this.tenants.get(tenantId)?.first?.startedAt
  }

  private of (tenantId: string): TenantRecords {
    let own = this.tenants.get(tenantId)
    if (own === undefined) this.tenants.set(tenantId, own = new TenantRecords(tenantId))
    return own
  }

  private grow (): TraceRecord {
    this.size++
    return new TraceRecord(this.clock)
  }

  private replace (own: TenantRecords): TraceRecord {
    const giver = this.giverFor(own)
    const record = giver.shift()
    if (giver.count === 0 && giver !== own) this.tenants.delete(giver.tenantId)
    this.replaced++
    return record
  }

  /** Who gives a record to `own`: it itself where it has its share, else one that has more than that. */
  private giverFor (own: TenantRecords): TenantRecords {
    const share = this.capacity / this.tenants.size
    if (own.count >= share) {
      this.heavy = own
      return own
    }
    if (this.heavy !== undefined && this.heavy.count > share) return this.heavy
    let fullest: TenantRecords | undefined
    for (let i = 0; i < MAX_LOOKS && i < this.tenants.size; i++) {
      const tenant = this.nextLook()
      if (tenant.count > (fullest?.count ?? 0)) fullest = tenant
      if (tenant.count > share) break
    }
    this.heavy = fullest
    return fullest as TenantRecords
  }

  /** Goes round the tenants, on from where it was. There is at least one. */
  private nextLook (): TenantRecords {
    let look = this.looks.next()
    if (look.done === true) {
      this.looks = this.tenants.values()
      look = this.looks.next()
    }
    return look.value as TenantRecords
  }
}
