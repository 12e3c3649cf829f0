import { setTimeout as delay } from 'node:timers/promises'

export type LifecycleState = 'starting' | 'ready' | 'leaving' | 'draining'

type DrainStep = (deadline: AbortSignal) => void | Promise<void>

/**
 * Where this process is in its life. It knows nobody: whoever has something to finish before the process ends
 * registers it with `onDrain`.
 */
export class Lifecycle {
  private current: LifecycleState = 'starting'
  private readonly steps: Array<{ name: string, run: DrainStep }> = []
  private draining?: Promise<void>
  private stopping?: number

  constructor (private readonly now = Date.now) {}

  get state (): LifecycleState {
    return this.current
  }

  /** When it was told to stop, in Unix milliseconds. */
  get stoppingSince (): number | undefined {
    return this.stopping
  }

  /** It takes no new clients. */
  get isDraining (): boolean {
    return this.current === 'draining'
  }

  ready (): void {
    if (this.current === 'starting') this.current = 'ready'
  }

  /**
   * Says that this node is about to go, and goes on as usual: load balancers need a moment to notice, and until then
   * they send clients.
   * @param delayMs milliseconds until it resolves
   */
  async leave (delayMs: number): Promise<void> {
    if (this.current !== 'draining') this.current = 'leaving'
    this.stopping ??= this.now()
    if (delayMs > 0) await delay(delayMs)
  }

  /** Steps run one after another, in the order registered. A step that throws does not keep the next from running. */
  onDrain (name: string, run: DrainStep): void {
    this.steps.push({ name, run })
  }

  /**
   * Turns to draining and runs every step; later calls join the first. `deadline` aborting tells steps that time is
   * up; `onError` hears of steps that failed.
   */
  drain (deadline: AbortSignal, onError: (step: string, error: unknown) => void): Promise<void> {
    this.current = 'draining'
    this.stopping ??= this.now()
    this.draining ??= this.runSteps(deadline, onError)
    return this.draining
  }

  private async runSteps (deadline: AbortSignal, onError: (step: string, error: unknown) => void): Promise<void> {
    for (const step of this.steps) {
      try {
        await step.run(deadline)
      } catch (error) {
        onError(step.name, error)
      }
    }
  }
}
