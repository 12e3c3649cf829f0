import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'

/** Numbers are the metric's values. */
export const BreakerState = { CLOSED: 0, OPEN: 1, HALF_OPEN: 2 } as const
export type BreakerState = typeof BreakerState[keyof typeof BreakerState]

/**
 * Opens after a number of failures in a row, refuses calls for a while, then lets one through: its success closes the
 * breaker, its failure opens it again. opossum keeps the states; the count in a row is ours, because opossum only
 * opens on a percentage of a time window. While it is closed calls go past opossum, which would only count them too, at
 * some cost.
 */
export class Breaker {
  private failuresInRow = 0
  /** opossum remembers every call it hears of until its statistics rotate: told by us, it needs no timer for that. */
  private readonly rotation = new EventEmitter()
  private readonly circuit: CircuitBreaker<[() => Promise<unknown>], unknown>

  constructor (onState: (state: BreakerState) => void) {
    this.circuit = new CircuitBreaker((call: () => Promise<unknown>) => call(), {
      timeout: false,
      errorThresholdPercentage: Infinity,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rollingCountBuckets: 1,
      rotateBucketController: this.rotation,
    } as CircuitBreaker.Options)
    this.circuit.on('open', () => onState(BreakerState.OPEN))
    this.circuit.on('halfOpen', () => onState(BreakerState.HALF_OPEN))
    this.circuit.on('close', () => {
      this.failuresInRow = 0
      onState(BreakerState.CLOSED)
    })
  }

  /** Whether the next call will be the one that decides. */
  get isHalfOpen (): boolean {
    return this.circuit.pendingClose
  }

  /** Whether a call made now would be refused. */
  get refuses (): boolean {
    return !this.circuit.closed && !this.circuit.pendingClose
  }

  /**
   * Runs `call` and passes on its outcome.
   * @param threshold failures in a row that open the breaker
   * @param openMs milliseconds until it lets one call through again
   */
  async run<T> (call: () => Promise<T>, threshold: number, openMs: number): Promise<T> {
    try {
      const value = this.circuit.closed && !this.circuit.isShutdown ? await call() : await this.fire(call)
      this.succeeded()
      return value
    } catch (error) {
      this.failed(threshold, openMs)
      throw error
    }
  }

  private async fire<T> (call: () => Promise<T>): Promise<T> {
    this.rotation.emit('rotate')
    return await this.circuit.fire(call) as T
  }

  /** Counts a success of something that is no call: a stream that brought an answer. */
  succeeded (): void {
    this.failuresInRow = 0
  }

  /** Counts a failure of something that is no call: a stream that broke. For the one call of half-open it is none. */
  failed (threshold: number, openMs: number): void {
    this.failuresInRow++
    if (this.circuit.closed && this.failuresInRow >= threshold) {
      (this.circuit as unknown as { options: CircuitBreaker.Options }).options.resetTimeout = openMs
      this.circuit.open()
    }
  }

  close (): void {
    this.circuit.shutdown()
  }
}
