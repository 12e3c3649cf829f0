/** A message's place in its conversation. */
export class Turn {
  private next?: Turn
  private step?: () => void | Promise<void>

  constructor (
    private readonly turns: Map<string, Turn>,
    private readonly conversation: string,
    private isFirst: boolean
  ) {}

  /** Runs `step` as soon as every earlier turn of the conversation has ended; then ends this one. */
  take (step: () => void | Promise<void>): void {
    this.step = step
    if (this.isFirst) this.run()
  }

  /** Ends the turn without a step: the message goes no further. */
  skip (): void {
    this.take(() => {})
  }

  /** Only for ConversationTurns. */
  follow (turn: Turn): void {
    this.next = turn
  }

  private run (): void {
    let pending: void | Promise<void>
    try {
      pending = this.step?.()
    } catch (error) {
      // Whatever went wrong with this message, the conversation goes on.
      this.end()
      throw error
    }
    if (pending === undefined) this.end()
    else pending.then(() => this.end(), () => this.end())
  }

  private end (): void {
    const { next } = this
    if (next === undefined) {
      this.turns.delete(this.conversation)
      return
    }
    next.isFirst = true
    if (next.step !== undefined) next.run()
  }
}

/**
 * Keeps the messages of one connection to one recipient in order, while their hooks run side by side: each message
 * enters when it is received and takes its turn when its hooks have answered.
 */
export class ConversationTurns {
  /** The last turn of each conversation that has any. */
  private readonly last = new Map<string, Turn>()

  enter (conversation: string): Turn {
    const before = this.last.get(conversation)
    const turn = new Turn(this.last, conversation, before === undefined)
    before?.follow(turn)
    this.last.set(conversation, turn)
    return turn
  }
}
