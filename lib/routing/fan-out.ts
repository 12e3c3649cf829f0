import { TenantBytes } from '../tenants/tenant-bytes.js'

/** Milliseconds of a turn of the event loop that fan-outs may use together. */
const TURN_BUDGET_MS = 3

/** Bytes of member lists that one tenant's messages may hold at once. */
const MAX_LIST_BYTES_PER_TENANT = 64 * 1024 * 1024

interface Task {
  step: () => boolean | Promise<boolean>
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * Lets large groups take turns: a bounded part of each turn of the event loop, tenant by tenant, one message of a
 * tenant at a time. However many there are, everything else goes on in between.
 */
export class FanOut {
  private readonly queues = new Map<string, Task[]>()
  /** Of tenants whose step waits for something else. */
  private readonly waiting = new Map<string, Task[]>()
  private readonly listBytes = new TenantBytes(MAX_LIST_BYTES_PER_TENANT)
  private isScheduled = false

  constructor (private readonly now: () => number = performance.now.bind(performance)) {}

  /** Room for a member list. True: it must be given back with `release`. False: the tenant has too many under way. */
  reserve (tenantId: string, bytes: number): boolean {
    return this.listBytes.reserve(tenantId, bytes)
  }

  release (tenantId: string, bytes: number): void {
    this.listBytes.release(tenantId, bytes)
  }

  /**
   * Calls `step` again and again, with others in between, until it returns true. One that waits for something else
   * returns a promise, and keeps only its own tenant's others waiting. Rejects with what it throws.
   */
  run (tenantId: string, step: () => boolean | Promise<boolean>): Promise<void> {
    return new Promise((resolve, reject) => {
      const task: Task = { step, resolve, reject }
      const queue = this.queues.get(tenantId) ?? this.waiting.get(tenantId)
      if (queue === undefined) this.queues.set(tenantId, [task])
      else queue.push(task)
      this.schedule()
    })
  }

  private schedule (): void {
    if (this.isScheduled || this.queues.size === 0) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      const until = this.now() + TURN_BUDGET_MS
      do this.stepOne()
      while (this.queues.size > 0 && this.now() < until)
      this.schedule()
    })
  }

  /** One step for the tenant that has waited longest; then it is last. */
  private stepOne (): void {
    const [[tenantId, queue]] = this.queues
    this.queues.delete(tenantId)
    const [task] = queue
    let isDone: boolean | Promise<boolean> = true
    try {
      isDone = task.step()
    } catch (error) {
      task.reject(error)
    }
    if (typeof isDone === 'boolean') {
      this.requeue(tenantId, queue, task, isDone)
      return
    }
    this.waiting.set(tenantId, queue)
    isDone.catch(error => {
      task.reject(error)
      return true
    }).then(done => {
      this.waiting.delete(tenantId)
      this.requeue(tenantId, queue, task, done)
      this.schedule()
    })
  }

  private requeue (tenantId: string, queue: Task[], task: Task, isDone: boolean): void {
    if (isDone) {
      task.resolve()
      queue.shift()
    }
    if (queue.length > 0) this.queues.set(tenantId, queue)
  }
}
