import type { Forwarded, Peers } from '../cluster/peers.js'
import type { Connections } from '../connections/connections.js'
import type { Handovers } from '../offline/handovers.js'
import type { OfflineBuffer } from '../offline/offline-buffer.js'
import { noteRecipient } from '../message-trace/note.js'
import { UNKNOWN, type RouteCache } from '../online-routes/route-cache.js'
import type { Session } from '../session/session.js'
import type { Delivery } from './delivery.js'
import { toLocalDevices } from './local-devices.js'
import type { OfflineDelivery } from './offline-delivery.js'

/** What became of a message, in users. */
export interface DeliveryOutcome {
  /** A device took it. */
  delivered: number
  /** Not connected; the tenant, which keeps such messages itself, was told by an event. */
  notified: number
  /** Not connected; an offline buffer holds it. */
  buffered: number
  /** Not connected, and not kept either. */
  skipped: number
}

export function noOutcome (): DeliveryOutcome {
  return { delivered: 0, notified: 0, buffered: 0, skipped: 0 }
}

/** Whether anybody has the message, or will get it. */
export function isSent ({ delivered, notified, buffered }: DeliveryOutcome): boolean {
  return delivered + notified + buffered > 0
}

export interface DispatchDeps {
  connections: Connections
  cache: RouteCache
  peers: Peers
  buffer: OfflineBuffer
  handovers: Pick<Handovers, 'isMoving'>
  offline: OfflineDelivery
}

/** Characters of the user ids that one item for a peer names at most: for the next the message is sent again. */
const MAX_BATCH_LENGTH = 128 * 1024

/** Users whose routes are looked up afresh at once. */
const FRESH_CHUNK = 256

/** A recipient who may have devices on other nodes. */
interface Target {
  readonly userId: string
  /** Some device has it. */
  isReached: boolean
  /** Its routes have changed lately. */
  isMoved: boolean
  /** A peer that has it did not answer. */
  isCutOff: boolean
  /** Answers to come. */
  open: number
  /** Members that it was sent to. */
  readonly tried: string[]
}

/** What goes to one peer together. */
interface Batch {
  readonly targets: Target[]
  /** Of the user ids. */
  length: number
}

/**
 * One message on its way to recipients who may be on any node: to the devices here; to each peer that has any,
 * once for all of them; once more, by fresh routes, for whom was not where they should have been; for whom is nowhere,
 * to the tenant by an event, or into the offline buffer of their home; and for whom is where no way leads, into the one
 * here.
 */
export class Dispatch {
  readonly outcome = noOutcome()
  private readonly batches = new Map<string, Batch>()
  private answers: Array<Promise<void>> = []
  private offline: string[] = []
  /** What is for them waits here, so that their later messages find it and wait behind. */
  private cutOff: string[] = []
  private again: Target[] = []

  /** @param maxBuffered offline users that it is kept for at most */
  constructor (
    private readonly deps: DispatchDeps,
    private readonly from: Session,
    private readonly delivery: Delivery,
    private readonly maxBuffered: number
  ) {}

  /** Sends it to these users. Each only once in all. */
  async serve (userIds: readonly string[]): Promise<void> {
    const { tenantId } = this.from
    const found = userIds.map(userId => this.deps.cache.find(tenantId, userId))
    for (let i = 0; i < userIds.length; i++) {
      const routes = found[i]
      const isFresh = routes instanceof Promise
      this.place(userIds[i], isFresh ? await routes : routes, isFresh)
    }
  }

  /** Resolves when all have it, or it is kept for them, or neither was possible. */
  async finish (): Promise<DeliveryOutcome> {
    await this.collectAnswers()
    if (this.again.length > 0) {
      const { again } = this
      this.again = []
      for (let i = 0; i < again.length; i += FRESH_CHUNK) await this.tryAgain(again.slice(i, i + FRESH_CHUNK))
      await this.collectAnswers()
      for (const target of this.again) if (!target.isReached) this.giveUp(target, !target.isCutOff)
    }
    await this.keep()
    return this.outcome
  }

  /** @param isFresh whether the routes have just been looked up */
  private place (userId: string, members: readonly string[], isFresh: boolean): void {
    const { from, delivery, deps: { connections, offline } } = this
    const devices = toLocalDevices(connections, delivery, userId, members.length > 0)
    if (devices > 0) this.outcome.delivered++
    const target = { userId, isReached: devices > 0, isMoved: false, isCutOff: false, open: 0, tried: [] }
    if (members.length > 0) {
      this.sendInTurn(target, members)
    } else if (devices === 0) {
      // The tenant must not be told that somebody is away who has just connected elsewhere.
      if (!isFresh && offline.announces(from, userId)) this.again.push(target)
      else this.giveUp(target, members !== UNKNOWN)
    }
  }

  /** @param isAway whether it is known that the user is connected nowhere */
  private giveUp ({ userId, isCutOff }: Target, isAway: boolean): void {
    const { from, delivery, deps: { cache, offline } } = this
    if (isAway && offline.announce(from, delivery, userId)) {
      this.outcome.notified++
      // Whoever has connected by now is found by the next message.
      cache.forget(from.tenantId, userId)
    } else {
      (isCutOff || this.isBehind(userId) ? this.cutOff : this.offline).push(userId)
    }
  }

  /** What waits here for this user goes first, and this behind it. */
  private isBehind (userId: string): boolean {
    const { from: { tenantId }, deps: { buffer, handovers } } = this
    return buffer.holdsFor(tenantId, userId) || handovers.isMoving(tenantId, userId)
  }

  private sendInTurn (target: Target, members: readonly string[]): void {
    if (!target.isReached && this.isBehind(target.userId)) this.cutOff.push(target.userId)
    else this.send(target, members)
  }

  private send (target: Target, members: readonly string[]): void {
    target.open = members.length
    for (const member of members) {
      target.tried.push(member)
      let batch = this.batches.get(member)
      if (batch === undefined) this.batches.set(member, batch = { targets: [], length: 0 })
      batch.targets.push(target)
      batch.length += target.userId.length
      if (batch.length >= MAX_BATCH_LENGTH) this.flush(member, batch)
    }
  }

  private flush (member: string, { targets }: Batch): void {
    this.batches.delete(member)
    const userIds = targets.map(({ userId }) => userId)
    const shared = new Set<string>()
    for (const { userId, isReached, tried } of targets) if (isReached || tried.length > 1) shared.add(userId)
    this.answers.push(this.deps.peers.deliver(member, this.delivery, userIds, shared).then(answer => {
      this.noteAnswer(member, userIds, answer)
      const missing = answer.kind === 'answered' ? new Set(answer.missing) : undefined
      const moved = answer.kind === 'answered' ? new Set(answer.moved) : undefined
      for (const target of targets) {
        if (missing === undefined) target.isCutOff = true
        else if (!missing.has(target.userId)) this.reached(target)
        if (moved?.has(target.userId) === true) target.isMoved = true
        if (--target.open === 0 && (!target.isReached || target.isMoved)) this.again.push(target)
      }
    }))
  }

  private noteAnswer (member: string, userIds: readonly string[], answer: Forwarded): void {
    const { message } = this.delivery
    const userId = userIds.length === 1 ? userIds[0] : ''
    if (answer.kind === 'unreachable') {
      noteRecipient(message, 'peer', 'no answer', userId, member, '', userIds.length)
      return
    }
    noteRecipient(message, 'peer', 'answered', userId, member, '', answer.devices)
    for (const missing of answer.missing) noteRecipient(message, 'missing', 'not there', missing, member)
  }

  private reached (target: Target): void {
    if (target.isReached) return
    target.isReached = true
    this.outcome.delivered++
  }

  private async collectAnswers (): Promise<void> {
    for (const [member, batch] of this.batches) this.flush(member, batch)
    const { answers } = this
    this.answers = []
    await Promise.all(answers)
  }

  /** By fresh routes, to where it was not sent before. */
  private async tryAgain (targets: Target[]): Promise<void> {
    const { cache, connections } = this.deps
    const { tenantId } = this.from
    const found = await Promise.all(targets.map(({ userId }) => cache.findFresh(tenantId, userId)))
    for (const [i, target] of targets.entries()) {
      const members = found[i].filter(member => !target.tried.includes(member))
      // It may have connected to this node meanwhile.
      const isHereNow = !target.isReached && toLocalDevices(connections, this.delivery, target.userId, false) > 0
      if (isHereNow) this.reached(target)
      target.isMoved = false
      if (members.length === 0) {
        // Where a peer does not answer, its users are not away as long as they have a route to it.
        const isAway = target.isCutOff ? found[i].length === 0 : true
        if (!target.isReached) this.giveUp(target, isAway && found[i] !== UNKNOWN)
      } else if (target.tried.length === 0) {
        this.sendInTurn(target, members)
      } else {
        this.send(target, members)
      }
    }
  }

  private async keep (): Promise<void> {
    const { from, delivery, maxBuffered } = this
    const { cache, offline } = this.deps
    const wanted = this.offline.slice(0, maxBuffered)
    const wantedHere = this.cutOff.slice(0, maxBuffered - wanted.length)
    if (this.offline.length + this.cutOff.length === 0) return
    const [kept, keptHere] = await Promise.all([
      offline.keepAtHome(from, delivery, wanted), offline.keepHere(from, delivery, wantedHere),
    ])
    // Whoever has connected by now is found by the next message.
    for (const userId of wanted) cache.forget(from.tenantId, userId)
    const skipped = this.offline.length + this.cutOff.length - kept - keptHere
    this.outcome.buffered += kept + keptHere
    this.outcome.skipped += skipped
    if (skipped > 0) {
      const { message } = delivery
      noteRecipient(message, 'skipped', 'not kept', message.groupId === '' ? message.toUserId : '', '', '', skipped)
    }
    from.metrics.offlineSkipped += skipped
  }
}
