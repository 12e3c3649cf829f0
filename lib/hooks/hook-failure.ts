/** Why a hook call brought no answer. These are metric label values too. */
export type HookFailureKind =
  | 'timeout' | 'network' | 'status' | 'too_large' | 'undecodable'
  | 'breaker_open' | 'queue_full' | 'unsigned' | 'tenant_gone'

/** A hook call that failed. `kind` decides, `message` is for the log. */
export class HookFailure extends Error {
  constructor (readonly kind: HookFailureKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'HookFailure'
  }
}

/** All of the hook's slots are taken, and so are the places to wait for one. */
export function queueFull (): HookFailure {
  return new HookFailure('queue_full', 'too many calls at once: raise hook_max_concurrency or answer faster')
}

/** What callers of hooks see: an answer, or why there is none. Never a rejection. */
export type HookResult<T> = { ok: true, value: T } | { ok: false, failure: HookFailure }
