import { fromBinary } from '@bufbuild/protobuf'
import { CheckMessageResponseSchema, type CheckMessageResponse } from '../gen/mics/hook/v1/hook_pb.js'
import { decodeExchange } from './answer-problem.js'
import { UNICODE_ID } from './check-auth.js'
import type { Examination } from './examination.js'
import type { Exchange } from './hook-probe.js'
import { millis } from './latencies.js'

/** MAX_MESSAGE_BYTES, where the operator did not change it. */
const LARGEST_BODY_BYTES = 1024 * 1024

/** Characters of a reason that reach the sender. */
export const MAX_REASON_LENGTH = 512

export async function checkMessages (examination: Examination): Promise<void> {
  const { findings, options, settings } = examination
  const said = await askFirst(examination)
  if (said === 'not served') return
  if (said === undefined) {
    return findings.skip('check-message', 'other messages', 'the first was not answered')
  }
  examination.answering.set('check-message', said ? 'yes' : 'no')
  if (options.groupId !== undefined) {
    await ask(examination, 'a group message', examination.message({ groupId: options.groupId }))
  }
  await ask(examination, 'a body of 1 MiB', examination.message({ body: Buffer.alloc(LARGEST_BODY_BYTES, 'x') }))
  await ask(examination, 'ids beyond ASCII', examination.message({ deviceId: UNICODE_ID, groupId: UNICODE_ID }), true)
  if (settings.checkMessageDisabled) {
    findings.warn('check-message', 'check_message_disabled', {
      seen: 'it is set: the gateway does not call this hook', advice: 'unset it once the hook is to decide',
    })
  }
}

/** A server that is asked about many at once need not serve it. */
async function askFirst (examination: Examination): Promise<boolean | undefined | 'not served'> {
  const question = examination.message()
  if (examination.batchSize < 2) return await ask(examination, 'a message', question)
  const { answer } = await examination.probe.call(examination.callOf('check-message', question))
  if (answer?.status !== 404) return await ask(examination, 'a message', question)
  examination.findings.skip('check-message', 'a message', 'not served, and not needed: with check_batch_max_messages the gateway asks /check-messages')
  return 'not served'
}

/** Whether the message may go out; undefined: no answer that can be used. */
async function ask (
  examination: Examination, name: string, question: Uint8Array, mayRefuse = false
): Promise<boolean | undefined> {
  const { findings } = examination
  const exchange = await examination.ask('check-message', question, name)
  const { value, problem } = await decodeCheck(exchange)
  if (problem !== undefined) {
    findings.fail('check-message', name, problem)
    return undefined
  }
  const took = millis(exchange.ms)
  if (exchange.answer?.body.length === 0) {
    findings.fail('check-message', name, {
      seen: 'HTTP status 200 with an empty body',
      advice: 'an empty body is a valid CheckMessageResponse that says no: every message fails with "message rejected". Answer with allow set',
    })
    return undefined
  }
  const { allow, reason } = value
  if (reason.length > MAX_REASON_LENGTH) {
    findings.warn('check-message', name, {
      seen: `the reason has ${reason.length} characters`, advice: `the sender sees the first ${MAX_REASON_LENGTH}: keep it short`,
    })
  } else if (allow || mayRefuse) {
    findings.pass('check-message', name, `${allow ? 'allowed' : `refused${reason === '' ? '' : `: ${reason}`}`} (${took})`)
  } else {
    findings.warn('check-message', name, {
      seen: `refused${reason === '' ? ', without a reason' : `: ${reason}`} (${took})`,
      advice: 'if it should be allowed, see why not; if the users are at fault, name ones that may talk with --token and --to' +
        (reason === '' ? '. Give a reason: the sender gets it in the ack' : ''),
    })
  }
  return allow
}

async function decodeCheck (exchange: Exchange): ReturnType<typeof decodeExchange<CheckMessageResponse>> {
  return await decodeExchange(exchange, 'CheckMessageResponse', body => fromBinary(CheckMessageResponseSchema, body))
}
