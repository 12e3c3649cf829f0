/** Whether a topic is there; `silent`: Kafka did not say. */
export type TopicState = 'present' | 'absent' | 'silent'

/** Milliseconds that an answer is good for. */
const SHARED_MS = 1000

/** Answers kept at once. */
const MAX_ANSWERS = 10_000

interface Answer {
  readonly state: TopicState
  readonly at: number
}

/**
 * Asks Kafka whether it is there, and a topic. One question is asked at a time, because each takes one of the few
 * threads that Node has for such things; who asks the same within a second gets the same answer. While Kafka is
 * silent all who wait are told so at once.
 */
export class TopicLooks {
  private readonly waiting = new Map<string, Promise<TopicState>>()
  private readonly answers = new Map<string, Answer>()
  private silentAt = -Infinity
  private turn: Promise<unknown> = Promise.resolve()

  /**
   * @param ask for a topic, or for none in particular (''); rejects when there is no answer
   * @param told what became of each question
   */
  constructor (
    private readonly ask: (topic: string) => Promise<'present' | 'absent'>,
    private readonly told: (answered: boolean) => void,
    private readonly now: () => number = () => performance.now()
  ) {}

  /** Looks at a topic, or with '' whether Kafka answers. Never rejects. */
  async look (topic: string): Promise<TopicState> {
    const known = this.answers.get(topic)
    if (known !== undefined && this.isFresh(known.at)) return known.state
    return await this.lookAgain(topic)
  }

  /** Looks, whatever was found a moment ago. */
  async lookAgain (topic: string): Promise<TopicState> {
    let look = this.waiting.get(topic)
    if (look === undefined) {
      look = this.turn.then(async () => await this.lookNow(topic))
      this.waiting.set(topic, look)
      this.turn = look
    }
    return await look
  }

  private async lookNow (topic: string): Promise<TopicState> {
    const state = await this.stateOf(topic)
    this.waiting.delete(topic)
    if (this.answers.size >= MAX_ANSWERS) this.answers.clear()
    this.answers.set(topic, { state, at: this.now() })
    return state
  }

  private async stateOf (topic: string): Promise<TopicState> {
    if (this.isFresh(this.silentAt)) return 'silent'
    try {
      const state = await this.ask(topic)
      this.told(true)
      return state
    } catch {
      // Why is in the client's log; here it counts only that there was no answer.
      this.silentAt = this.now()
      this.told(false)
      return 'silent'
    }
  }

  private isFresh (at: number): boolean {
    return this.now() - at < SHARED_MS
  }
}
