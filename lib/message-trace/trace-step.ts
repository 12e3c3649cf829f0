/** What a step is about. The stages of a message at its sender's node come first, then what happens to recipients. */
export type TraceStage =
  | 'validate' | 'rate_limit' | 'dedup' | 'check_hook' | 'members_hook' | 'turn' | 'ack'
  | 'device' | 'peer' | 'missing' | 'buffer' | 'event' | 'skipped' | 'written' | 'closed' | 'moved' | 'dropped'

/** One thing that happened to a message. Reused, so that noting one allocates nothing. */
export class TraceStep {
  /** Milliseconds by a clock that nobody sets. */
  at = 0
  stage: TraceStage = 'validate'
  /** The verdict or outcome, in a word. */
  result = ''
  /** Why, where there is something to say. */
  detail = ''
  /** Of the recipient, where it is about one. */
  userId = ''
  deviceId = ''
  /** Member key of another node that it is about. */
  member = ''
  /** Users or devices, where it is about several. */
  count = 0
}
