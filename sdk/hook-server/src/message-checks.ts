import { setImmediate } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { checkCheckMessage, checkCheckMessages, withShortReason, type Verdict } from './answer-checks.js'
import { toChatMessage } from './chat-message.js'
import { MessageRequestSchema, type MessageRequest } from './gen/mics/message/v1/message_pb.js'
import type { HookCall, Hooks } from './hooks.js'
import { Refusal } from './refusal.js'

type Checks = Pick<Hooks, 'checkMessage' | 'checkMessages'>

/** Messages of one call that `checkMessage` is asked about at once. */
const CHECKS_AT_ONCE = 32

/** Milliseconds after which a function that never waits lets other calls have their turn. */
const TURN_MS = 10

/** The verdict on one message, by whichever function there is. */
export async function checkOne (hooks: Checks, message: MessageRequest | undefined, call: HookCall): Promise<Verdict> {
  const toCheck = toChatMessage(message ?? create(MessageRequestSchema))
  if (hooks.checkMessage !== undefined) {
    return checkCheckMessage(await hooks.checkMessage({ ...call, message: toCheck }))
  }
  if (hooks.checkMessages === undefined) return { allow: true, reason: '' }
  return checkCheckMessages(await hooks.checkMessages({ ...call, messages: [toCheck] }), 1)[0]
}

/** The verdicts on all messages of a call, in their order. */
export async function checkMany (
  hooks: Checks, messages: readonly MessageRequest[], call: HookCall
): Promise<Verdict[]> {
  if (hooks.checkMessages !== undefined) {
    const answer = await hooks.checkMessages({ ...call, messages: messages.map(toChatMessage) })
    return checkCheckMessages(answer, messages.length).map(withShortReason)
  }
  if (hooks.checkMessage === undefined) return messages.map(() => ({ allow: true, reason: '' }))
  return await sideBySide(messages, call.signal, async message =>
    withShortReason(await checkOne(hooks, message, call)))
}

/**
 * There is no verdict for a message that could not be checked, so one failure is that of the call: the gateway then
 * decides about its messages. No more are begun, and what is at work is waited for, so that it counts as in progress.
 */
async function sideBySide (
  messages: readonly MessageRequest[], signal: AbortSignal, check: (message: MessageRequest) => Promise<Verdict>
): Promise<Verdict[]> {
  const verdicts: Verdict[] = new Array(messages.length)
  const failures: unknown[] = []
  let next = 0
  let turnBegan = performance.now()
  let nextTurn: Promise<void> | undefined
  const waitForTurn = async (): Promise<void> => {
    await setImmediate()
    turnBegan = performance.now()
    nextTurn = undefined
  }
  const checkNext = async (): Promise<void> => {
    for (;;) {
      // All wait for the same turn: else the others would go on before it comes.
      while (performance.now() - turnBegan >= TURN_MS) await (nextTurn ??= waitForTurn())
      if (next >= messages.length || failures.length > 0 || signal.aborted) return
      const i = next++
      try {
        verdicts[i] = await check(messages[i])
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(messages.length, CHECKS_AT_ONCE) }, checkNext))
  if (failures.length > 0) throw failures[0]
  if (next < messages.length) throw new Refusal('busy', 'the gateway has given the call up')
  return verdicts
}
