import { shuffled } from './random.js'
import type { Action, Answer } from './scenario.js'

/** A frame on its way to a client. */
export interface Outgoing {
  bytes: Uint8Array
  action: Action
  /** Frames with the same one keep their order, unless a scenario says `illegal`. */
  sequence: string
}

/** Milliseconds that answers wait for others to change places with. */
const REORDER_MS = 200

/** Sends frames one after another, each as late and in such an order as its action says. */
export class Lane<Item extends Outgoing> {
  #items: Item[] = []
  #timer?: NodeJS.Timeout
  /** The first has waited as long as it must. */
  #isDue = false

  constructor (private readonly send: (item: Item) => void, private readonly random: () => number) {}

  get length (): number {
    return this.#items.length
  }

  push (item: Item): void {
    this.#items.push(item)
    this.#run()
  }

  /** Ends it, and returns what was not sent. */
  stop (): Item[] {
    clearTimeout(this.#timer)
    return this.#items.splice(0)
  }

  #run (): void {
    while (this.#items.length > 0) {
      const { delayMs = 0, reorder } = answerOf(this.#items[0])
      if (reorder !== undefined) {
        const others = this.#items.findIndex(item => answerOf(item).reorder === undefined)
        const length = Math.min(reorder.count, others === -1 ? this.#items.length : others)
        if (length < reorder.count && others === -1 && !this.#isDue) return this.#wait(REORDER_MS)
        this.#passed()
        const batch = disordered(this.#items.slice(0, length), reorder.illegal === true, this.random)
        // They stay here until each is sent: the connection may end in between.
        this.#items.splice(0, length, ...batch.map(item => ({ ...item, action: inOrder(item.action) })))
        continue
      }
      if (delayMs > 0 && !this.#isDue) return this.#wait(delayMs)
      this.#passed()
      this.send(this.#items.shift() as Item)
    }
  }

  #wait (ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#isDue = true
      this.#timer = undefined
      this.#run()
    }, ms)
  }

  #passed (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isDue = false
  }
}

function answerOf ({ action: { answer } }: Outgoing): Answer {
  return typeof answer === 'object' ? answer : {}
}

function inOrder (action: Action): Action {
  return { ...action, answer: { ...action.answer as Answer, reorder: undefined } }
}

/** In another order; what is of one sequence in its own, unless that may change too. */
function disordered<Item extends Outgoing> (items: Item[], isIllegal: boolean, random: () => number): Item[] {
  const places = shuffled(items, random)
  if (isIllegal) return places
  const bySequence = new Map<string, Item[]>()
  for (const item of items) bySequence.set(item.sequence, [...bySequence.get(item.sequence) ?? [], item])
  return places.map(({ sequence }) => bySequence.get(sequence)?.shift() as Item)
}
