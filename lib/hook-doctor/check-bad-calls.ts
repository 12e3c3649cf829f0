import type { SignedRequest } from '../hooks/hook-request.js'
import type { HookOperation } from '../hooks/hooks-client.js'
import { signBody } from '../hooks/signing.js'
import { exchangeProblem } from './answer-problem.js'
import { yes } from './check-signatures.js'
import type { Examination } from './examination.js'
import { isClosedConnection } from './network-problem.js'

/** A body that no gateway with a MAX_MESSAGE_BYTES as it is by default can send. */
const HUGE_BODY_BYTES = 8 * 1024 * 1024

/** A tag, and the length of a field that ends beyond the body. */
const BROKEN_BODY = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f, 0x01])

/** Bodies that no good gateway sends: the server refuses them, and goes on. */
export async function checkBadCalls (examination: Examination): Promise<void> {
  const { findings, options, answering } = examination
  if (options.skipBad) return findings.skip('bad-calls', 'broken and huge bodies', 'bad calls are left out')
  for (const operation of answering.keys()) await checkBroken(examination, operation)
  for (const operation of ['check-message', 'check-messages'] as const) {
    if (answering.has(operation)) await checkHuge(examination, operation)
  }
  if (answering.size === 0) findings.skip('bad-calls', 'broken and huge bodies', 'no hook answers good calls')
}

async function checkBroken (examination: Examination, operation: HookOperation): Promise<void> {
  const { findings, probe } = examination
  const name = `a body that is no protobuf, to /${operation}`
  const call = examination.callOf(operation, new Uint8Array())
  const { answer } = await probe.send(call, bodyOf(examination, operation, BROKEN_BODY))
  const advice = 'answer with status 400 where the body cannot be decoded'
  if (answer === undefined) {
    findings.warn('bad-calls', name, { seen: 'no answer', advice })
  } else if (answer.status >= 400 && answer.status <= 499) {
    findings.pass('bad-calls', name, `HTTP status ${answer.status}`)
  } else if (answer.status >= 200 && answer.status <= 299 && yes(operation, answer.body)) {
    findings.fail('bad-calls', name, { seen: `HTTP status ${answer.status}, and a yes`, advice: `${advice}: now the server decides about something that it has not read` })
  } else {
    findings.warn('bad-calls', name, { seen: `HTTP status ${answer.status}`, advice: `${advice}: ${answer.status >= 500 ? '5xx looks like a fault of the server' : 'so the mistake is seen'}` })
  }
  await checkAlive(examination, operation, name)
}

async function checkHuge (examination: Examination, operation: HookOperation): Promise<void> {
  const { findings, probe } = examination
  const name = `a body of 8 MiB, to /${operation}`
  const call = examination.callOf(operation, examination.message({ body: Buffer.alloc(HUGE_BODY_BYTES, 'x') }))
  const exchange = await probe.send(call, probe.request(call))
  const { answer } = exchange
  const advice = 'bound the body, at 2 MiB or what MAX_MESSAGE_BYTES takes, and answer with status 413 beyond: each call that is read costs memory'
  if (answer === undefined && isClosedConnection(exchange)) {
    findings.pass('bad-calls', name, 'the connection was closed')
  } else if (answer === undefined) {
    findings.warn('bad-calls', name, { seen: (await exchangeProblem(exchange))?.seen ?? '', advice })
  } else if (answer.status >= 400 && answer.status <= 499) {
    findings.pass('bad-calls', name, `HTTP status ${answer.status}`)
  } else {
    findings.warn('bad-calls', name, { seen: `HTTP status ${answer.status}`, advice })
  }
  await checkAlive(examination, operation, name)
}

/** The next good call is answered. */
async function checkAlive (examination: Examination, operation: HookOperation, after: string): Promise<void> {
  const { findings, probe } = examination
  const exchange = await probe.call(examination.callOf(operation, examination.goodQuestion(operation)))
  if (exchange.answer !== undefined && exchange.answer.status < 500) return
  const problem = await exchangeProblem(exchange)
  findings.fail('bad-calls', `the call after ${after}`, {
    seen: problem?.seen ?? '', advice: 'the server did not survive a bad call: catch the error for the one call, and answer it with status 400 or 413',
  })
}

/** The headers of a good call, signed over any body: a server that verifies the header goes on to decode it. */
function bodyOf (examination: Examination, operation: HookOperation, body: Buffer): SignedRequest {
  const { probe } = examination
  const call = examination.callOf(operation, new Uint8Array())
  const { headers } = probe.request(call)
  if (call.secret !== '') headers['x-mics-signature'] = signBody(call.secret, BigInt(headers['x-mics-timestamp']), body)
  return { body, headers }
}
