import { MicsError, textOf } from './errors.js'
import type { ClientEvents } from './events.js'

type EventName = keyof ClientEvents
type Listener = (...args: unknown[]) => void

interface List {
  entries: Set<{ listener: Listener }>
  /** What they are to hear of: first what goes round, then what came of that meanwhile. */
  events: unknown[][]
}

const names: readonly EventName[] = ['state', 'message', 'repeat', 'ack', 'error', 'frame']

/** The app's listeners. One that throws stops neither the others nor the client. */
export class Listeners {
  readonly #lists = new Map<EventName, List>(names.map(name => [name, { entries: new Set(), events: [] }]))

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
    list.entries.add(entry)
    return () => { list.entries.delete(entry) }
  }

  emit<E extends EventName> (event: E, ...args: Parameters<ClientEvents[E]>): void {
    const { entries, events } = this.#lists.get(event) as List
    if (entries.size === 0) return
    // A listener may cause the next such event. The others hear of this one first, so that all end with the same.
    events.push(args)
    if (events.length > 1) return
    while (events.length > 0) {
      for (const entry of [...entries]) if (entries.has(entry)) this.#tell(event, entry.listener, events[0])
      events.shift()
    }
  }

  #tell (event: EventName, listener: Listener, args: unknown[]): void {
    try {
      listener(...args)
    } catch (cause) {
      this.#failed(event, cause)
    }
  }

  #failed (event: EventName, cause: unknown): void {
    if (event !== 'error' && this.#lists.get('error')?.entries.size !== 0) {
      this.emit('error', new MicsError('MICS_LISTENER_FAILED', `a listener for '${event}' threw: ${textOf(cause)}`, { cause }))
      return
    }
    // Nobody is left to tell: it becomes an uncaught exception, which every platform reports.
    setTimeout(() => { throw cause })
  }
}
