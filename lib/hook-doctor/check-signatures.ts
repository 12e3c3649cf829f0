import { fromBinary } from '@bufbuild/protobuf'
import { AuthResponseSchema, CheckMessageResponseSchema, CheckMessagesResponseSchema, GetOfflineMessagesResponseSchema } from '../gen/mics/hook/v1/hook_pb.js'
import { GroupMembers } from '../hooks/group-members.js'
import type { SignedRequest } from '../hooks/hook-request.js'
import type { HookOperation } from '../hooks/hooks-client.js'
import type { Examination } from './examination.js'
import type { Exchange, ProbeCall } from './hook-probe.js'

/** The age of an old call, in milliseconds. */
const OLD_MS = 10 * 60 * 1000

/** What a server did with a call that is not a good one. `unclear`: it would have said no to a good one, too. */
type Reception = 'refused' | 'crashed' | 'accepted' | 'unclear'

interface Forgery {
  name: string
  /** What accepting it is. */
  accepting: 'warn' | 'fail'
  why: string
  send: (examination: Examination, call: ProbeCall) => Promise<Exchange>
}

const forgeries: Forgery[] = [
  {
    name: 'a wrong signature',
    accepting: 'fail',
    why: 'verify x-mics-signature, or meta.sign: now whoever reaches the server can ask it for anything',
    send: async ({ probe }, call) => await probe.call({ ...call, secret: `${call.secret}-but-wrong` }),
  },
  {
    name: 'no signature',
    accepting: 'fail',
    why: 'refuse calls without a signature: now leaving it out is enough to get around it',
    send: async ({ probe }, call) => await probe.call({ ...call, secret: '' }),
  },
  {
    name: 'a body that was changed',
    accepting: 'fail',
    why: 'verify the signature over the raw bytes of the body: now a call on its way can be turned into another',
    send: async ({ probe }, call) => await probe.send(call, tampered(probe.request(call), probe.traceId)),
  },
  {
    name: 'a call of 10 minutes ago',
    accepting: 'warn',
    why: 'refuse calls whose timestamp is more than a minute or so away from now: else a call that somebody recorded is good for ever',
    send: async ({ probe }, call) => await probe.call({ ...call, timestampMs: Date.now() - OLD_MS }),
  },
  {
    name: 'the same call again',
    accepting: 'warn',
    why: 'remember the request_id of each call for as long as its timestamp is good, in a bounded cache, and refuse one that comes again: the gateway never sends one twice',
    send: async ({ probe }, call) => {
      const request = probe.request(call)
      await probe.send(call, request)
      return await probe.send(call, request)
    },
  },
]

/** Calls that are not the gateway's: each hook must refuse them, where it has a secret. */
export async function checkSignatures (examination: Examination): Promise<void> {
  const { findings, options, answering } = examination
  if (options.skipBad) return findings.skip('signatures', 'forged calls', 'bad calls are left out')
  const operations = [...answering.keys()].filter(operation => examination.secretOf(operation) !== '')
  if (answering.size > 0 && operations.length === 0) {
    return findings.skip('signatures', 'forged calls', 'no secret is given, so calls are not signed: whoever reaches the server can ask it')
  }
  if (operations.length === 0) return findings.skip('signatures', 'forged calls', 'no hook answers good calls')
  for (const forgery of forgeries) await checkForgery(examination, forgery, operations)
}

async function checkForgery (
  examination: Examination, { name, accepting, why, send }: Forgery, operations: HookOperation[]
): Promise<void> {
  const { findings } = examination
  const by: Record<Reception, HookOperation[]> = { refused: [], crashed: [], accepted: [], unclear: [] }
  for (const operation of operations) {
    const call = examination.callOf(operation, examination.goodQuestion(operation))
    by[reception(await send(examination, call), examination.answering.get(operation) === 'yes')].push(operation)
  }
  const seen = (Object.keys(by) as Reception[])
    .filter(kind => by[kind].length > 0)
    .map(kind => `${kind === 'crashed' ? 'not answered' : kind} by ${by[kind].join(', ')}`)
    .join('; ')
  if (by.accepted.length > 0) {
    findings.add('signatures', name, accepting, { seen, advice: why })
  } else if (by.crashed.length > 0) {
    findings.warn('signatures', name, { seen, advice: 'answer with status 401: statuses of 5xx and broken connections look like a server in trouble' })
  } else if (by.unclear.length > 0) {
    findings.warn('signatures', name, {
      seen, advice: 'these say no to good calls as well: give a --token, a --to and a --group to which they say yes, and try again',
    })
  } else {
    findings.pass('signatures', name, seen)
  }
}

/** Another trace id under the same signatures: whatever a hook is asked, its answer would be the same. */
function tampered ({ body, headers }: SignedRequest, traceId: string): SignedRequest {
  const changed = Buffer.from(body)
  const at = changed.indexOf(traceId)
  changed[at] = changed[at] === 0x31 ? 0x32 : 0x31
  return { body: changed, headers }
}

function reception ({ operation, answer }: Exchange, saysYesToGood: boolean): Reception {
  if (answer === undefined || answer.status >= 500) return 'crashed'
  if (answer.status < 200 || answer.status > 299) return 'refused'
  const saysYes = yes(operation, answer.body)
  if (saysYes) return 'accepted'
  return saysYesToGood ? 'refused' : 'unclear'
}

/** Whether an answer gives what was asked for. */
export function yes (operation: HookOperation, body: Buffer): boolean {
  const options = { readUnknownFields: false }
  try {
    switch (operation) {
      case 'auth':
        return fromBinary(AuthResponseSchema, body, options).ok
      case 'check-message':
        return fromBinary(CheckMessageResponseSchema, body, options).allow
      case 'check-messages':
        return fromBinary(CheckMessagesResponseSchema, body, options).verdicts.some(({ allow }) => allow)
      case 'get-group-members':
        return (GroupMembers.parse(body)?.count ?? 0) > 0
      case 'get-offline-messages':
        return fromBinary(GetOfflineMessagesResponseSchema, body, options).ok
    }
  } catch {
    return false // not an answer, so nothing was given away
  }
}
