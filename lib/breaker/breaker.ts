import { EventEmitter } from 'node:events'
import CircuitBreaker from 'opossum'

/** Numbers are the metric's values. */
export const BreakerState = { CLOSED: 0, OPEN: 1, HALF_OPEN: 2 } as const
export type BreakerState = typeof BreakerState[keyof typeof BreakerState]

/** opossum remembers the latency of every call until its statistics rotate, which are of no use here. */
const CALLS_PER_ROTATION = 1000

/**
 * Opens after a number of failures in a row, refuses calls for a while, then lets one through: its success closes the
 * breaker, its failure opens it again. opossum keeps the states; the count in a row is ours, because opossum only
 * opens on a percentage of a time window.
 */
export class Breaker {
  private failuresInRow = 0
  private calls = 0
  /** Rotates by the number of calls, so that there is no timer in every breaker. */
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
    if (++this.calls % CALLS_PER_ROTATION === 0) this.rotation.emit('rotate')
    try {
      const value = await this.circuit.fire(call) as T
      this.succeeded()
      return value
    } catch (error) {
      this.failed(threshold, openMs)
      throw error
    }
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
