import { MicsError, textOf } from './errors.js'
import type { ClientEvents } from './events.js'

type EventName = keyof ClientEvents
type Listener = (...args: unknown[]) => void

const names: readonly EventName[] = ['state', 'message', 'repeat', 'ack', 'error', 'frame']

/** The app's listeners. One that throws stops neither the others nor the client. */
export class Listeners {
  readonly #lists = new Map<EventName, Array<{ listener: Listener }>>(names.map(name => [name, []]))

  /** Calls back at each such event, until what it returns is called. */
  on<E extends EventName> (event: E, listener: ClientEvents[E]): () => void {
    const list = this.#lists.get(event)
    if (list === undefined) {
      throw new MicsError('MICS_INVALID_ARGUMENT', `there is no event '${String(event)}': use one of ${names.join(', ')}`)
    }
    if (typeof listener !== 'function') {
      throw new MicsError('MICS_INVALID_ARGUMENT', `the listener for '${event}' must be a function`)
    }
    // An entry of its own, so that a function that listens twice stops once.
    const entry = { listener: listener as Listener }
    list.push(entry)
    return () => {
      const index = list.indexOf(entry)
      if (index >= 0) list.splice(index, 1)
    }
  }

  emit<E extends EventName> (event: E, ...args: Parameters<ClientEvents[E]>): void {
    const list = this.#lists.get(event) ?? []
    if (list.length === 0) return
    for (const { listener } of [...list]) {
      try {
        listener(...args)
      } catch (cause) {
        this.#failed(event, cause)
      }
    }
  }

  #failed (event: EventName, cause: unknown): void {
    if (event !== 'error' && this.#lists.get('error')?.length !== 0) {
      this.emit('error', new MicsError('MICS_LISTENER_FAILED', `a listener for '${event}' threw: ${textOf(cause)}`, { cause }))
      return
    }
    // Nobody is left to tell: it becomes an uncaught exception, which every platform reports.
    setTimeout(() => { throw cause })
  }
}
