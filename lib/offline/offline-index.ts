import type { OnlineRoutes } from '../online-routes/online-routes.js'
import type { Handovers } from './handovers.js'
import type { OfflineBuffer } from './offline-buffer.js'
import { keyOf } from './user-key.js'

/** Reports under way at once, apart from those that somebody waits for. */
const MAX_ACTIVE = 256

/** Milliseconds until what failed is tried again. */
const RETRY_MS = 1000

interface Report {
  readonly tenantId: string
  readonly userId: string
  /** The number of messages has changed since the running report began. */
  isDirty: boolean
  running?: Promise<void>
}

/**
 * Tells the cluster for whom this node holds offline messages, and moves them to where their user is: the store
 * answers each report with the members that the user is connected to. So nothing waits here for a user who is online
 * elsewhere, however their connecting and our holding fall together.
 */
export class OfflineIndex {
  /** Users whose number of messages is to be reported, or is being reported. */
  private readonly reports = new Map<string, Report>()
  /** Those to run, from the end of this turn on. */
  private readonly due = new Set<Report>()
  private active = 0
  /** Users for whom others know that something is here. */
  private readonly known = new Set<string>()
  private readonly retries: NodeJS.Timeout
  private isClosed = false
  /** Reports and moves that failed and are tried again. */
  failures = 0

  constructor (private readonly deps: {
    buffer: OfflineBuffer
    handovers: Handovers
    routes: Pick<OnlineRoutes, 'hold'>
    /** Whether the store answers, as far as is known. */
    isReachable: () => boolean
    /** Has the user's devices on this node look what is here for them. Whether there are any. */
    wake: (tenantId: string, userId: string) => boolean
  }) {
    deps.buffer.onChange = (tenantId, userId) => this.changed(tenantId, userId)
    this.retries = setInterval(() => {
      if (!deps.isReachable()) return
      for (const report of this.reports.values()) this.schedule(report)
    }, RETRY_MS).unref()
  }

  /** Users whose report is outstanding. */
  get outstanding (): number {
    return this.reports.size
  }

  /**
   * Reports what is held for the user now, moves it where it belongs, and resolves when that is done or has failed for
   * now. Undefined where there is nothing to do.
   */
  settle (tenantId: string, userId: string): Promise<void> | undefined {
    const report = this.reports.get(keyOf(tenantId, userId))
    return report === undefined ? undefined : this.run(report)
  }

  /** What others know may be gone: reports everything again. */
  reassert (): void {
    for (const { tenantId, userId } of this.deps.buffer.users()) this.changed(tenantId, userId)
  }

  close (): void {
    this.isClosed = true
    clearInterval(this.retries)
  }

  private changed (tenantId: string, userId: string): void {
    const key = keyOf(tenantId, userId)
    let report = this.reports.get(key)
    if (report === undefined) this.reports.set(key, report = { tenantId, userId, isDirty: false })
    if (!report.isDirty) this.schedule(report)
    report.isDirty = true
  }

  /** At the end of this turn: what comes and goes within it needs no report. */
  private schedule (report: Report): void {
    const isFirst = this.due.size === 0
    this.due.add(report)
    if (isFirst) setImmediate(() => this.runDue())
  }

  /** Not all at once: after an outage every node has many, and they share one store. */
  private runDue (): void {
    for (const report of this.due) {
      if (this.active >= MAX_ACTIVE) return
      this.due.delete(report)
      this.active++
      this.run(report).finally(() => {
        this.active--
        this.runDue()
      })
    }
  }

  private run (report: Report): Promise<void> {
    report.running ??= this.report(report).finally(() => { report.running = undefined })
    return report.running
  }

  private async report (report: Report): Promise<void> {
    const { tenantId, userId } = report
    const key = keyOf(tenantId, userId)
    while (report.isDirty && !this.isClosed) {
      report.isDirty = false
      try {
        if (!await this.tell(key, tenantId, userId)) return this.failed(report)
      } catch {
        // The store does not answer, and has its own line in the log for it.
        return this.failed(report)
      }
    }
    this.reports.delete(key)
  }

  /** False: something should have moved and did not. */
  private async tell (key: string, tenantId: string, userId: string): Promise<boolean> {
    const { buffer, handovers, routes, isReachable, wake } = this.deps
    // The user may have connected here since it was found offline.
    if (buffer.holdsFor(tenantId, userId)) wake(tenantId, userId)
    const count = buffer.countOf(tenantId, userId) + handovers.movingOf(tenantId, userId)
    if (count === 0 && !this.known.has(key)) return true
    // Before the answer, which may be lost where the report is not.
    if (count > 0 && isReachable()) this.known.add(key)
    const elsewhere = await routes.hold(tenantId, userId, count)
    if (count === 0) this.known.delete(key)
    if (elsewhere.length === 0) return true
    // What left for another node meanwhile is not yet where the user is, and may come back.
    await handovers.settled(tenantId, userId)
    if (!buffer.holdsFor(tenantId, userId) || wake(tenantId, userId)) return true
    return await handovers.move(tenantId, userId, elsewhere[0])
  }

  private failed (report: Report): void {
    this.failures++
    report.isDirty = true
    // Messages that did not move have come back to the buffer, which looks like news: that would try again at once, and
    // again, for as long as the other node is out of reach.
    this.due.delete(report)
  }
}
