import { randomBytes } from 'node:crypto'
import { fromBinary } from '@bufbuild/protobuf'
import { AuthResponseSchema, type AuthResponse, type TenantRuntimeConfig } from '../gen/mics/hook/v1/hook_pb.js'
import { InvalidRuntimeConfigError, Tenant } from '../tenants/tenant.js'
import { decodeExchange, exchangeProblem } from './answer-problem.js'
import type { Examination } from './examination.js'
import { authQuestion, membersQuestion } from './hook-questions.js'
import type { Exchange } from './hook-probe.js'
import { millis } from './latencies.js'
import { runtimeConfigDoubts } from './runtime-config-doubts.js'

/** Letters of several scripts, one beyond 16 bits. */
export const UNICODE_ID = 'doctor-é-设备-😀'

/** The first call of all. It tells whose token it is and what holds for the other hooks, so it is always made. */
export async function checkAuth (examination: Examination, tenant: Tenant): Promise<void> {
  const { findings, options, firstAuth } = examination
  if (firstAuth === undefined) return
  const { value, problem } = await decodeAuth(firstAuth)
  if (problem !== undefined) {
    findings.fail('auth', 'a good token', problem)
  } else if (firstAuth.answer?.body.length === 0) {
    findings.fail('auth', 'a good token', {
      seen: 'HTTP status 200 with an empty body',
      advice: 'an empty body is a valid AuthResponse that says no: every client is refused with 4001. Answer with ok and user_id set',
    })
  } else if (!value.ok) {
    findings.fail('auth', 'a good token', {
      seen: `refused${value.reason === '' ? ', without a reason' : `: ${value.reason}`}`,
      advice: 'give a token that this server knows, in MICS_TOKEN or with --token; if it is a good one, see why the server says no',
    })
    examination.answering.set('auth', 'no')
  } else {
    judgeYes(examination, value, firstAuth)
    takeConfig(examination, tenant, value)
    await checkHookBaseUrl(examination)
  }
  if (!examination.wants('auth')) return
  await checkBadToken(examination)
  if (examination.answering.get('auth') === 'yes') {
    await checkUnicodeDevice(examination)
  } else {
    findings.skip('auth', 'a device id beyond ASCII', 'no good token was taken')
  }
  if (options.secret !== '' && options.secret.length < 16) {
    findings.warn('auth', 'the secret', {
      seen: `it has ${options.secret.length} characters`, advice: 'use at least 16 random ones, such as those of openssl rand -hex 32',
    })
  }
}

function judgeYes (
  { findings, options, answering, secrets }: Examination, answer: AuthResponse, { ms }: Exchange
): void {
  const { userId, deviceId, config } = answer
  if (config !== undefined && config.tenantSecret !== '') secrets.add(config.tenantSecret)
  if (userId === '') {
    findings.fail('auth', 'a good token', { seen: 'ok without a user_id', advice: 'set user_id: without it the client is refused with 4503' })
    return
  }
  answering.set('auth', 'yes')
  const device = deviceId === '' || deviceId === options.deviceId ? '' : `, device ${deviceId} instead of ${options.deviceId}`
  findings.pass('auth', 'a good token', `user ${userId}${device} (${millis(ms)})`)
  const unknown = [...answer.$unknown ?? [], ...config?.$unknown ?? []].map(({ no }) => no)
  if (unknown.length > 0) {
    findings.warn('auth', 'fields', {
      seen: `the answer has fields that hook.proto does not have: ${unknown.slice(0, 10).join(', ')}`,
      advice: 'compare the field numbers: what is meant by these is not in force',
    })
  }
}

/** What the gateway makes of the answer's config is in force for the other hooks. */
function takeConfig (examination: Examination, tenant: Tenant, { userId, config }: AuthResponse): void {
  const { findings, options } = examination
  if (userId !== '') examination.userId = userId
  try {
    examination.settings = tenant.settingsFor(config)
  } catch (error) {
    if (!(error instanceof InvalidRuntimeConfigError)) throw error
    findings.fail('auth', 'config', { seen: error.message, advice: 'correct it: the gateway refuses every client of the tenant with 4503' })
    return
  }
  if (config === undefined) return findings.pass('auth', 'config', 'none: the defaults hold')
  const doubts = runtimeConfigDoubts(config, examination.settings, options.url)
  for (const { result, ...problem } of doubts) findings.add('auth', 'config', result, problem)
  if (doubts.length === 0) findings.pass('auth', 'config', told(config))
}

/** The fields that are set, without the secret. */
function told (config: TenantRuntimeConfig): string {
  const fields = Object.entries(config)
    .filter(([name, value]) => !name.startsWith('$') && value !== undefined && value !== '' && value !== 0)
    .map(([name, value]) => `${name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)} ${name === 'tenantSecret' ? '****' : String(value)}`)
  return fields.length === 0 ? 'empty: the defaults hold' : fields.join(', ')
}

async function checkHookBaseUrl (examination: Examination): Promise<void> {
  const { findings, settings, options, unknownGroup } = examination
  if (settings.hookBaseUrl === options.url) return
  const exchange = await examination.ask('get-group-members', membersQuestion(unknownGroup), 'an unknown group')
  if (exchange.answer === undefined) {
    const problem = await exchangeProblem(exchange)
    if (problem !== undefined) findings.fail('auth', 'hook_base_url', problem)
  } else {
    findings.pass('auth', 'hook_base_url', `${settings.hookBaseUrl} answers`)
  }
}

async function checkBadToken (examination: Examination): Promise<void> {
  const { findings, options, secrets } = examination
  const token = `invalid:doctor-${randomBytes(8).toString('hex')}`
  secrets.add(token)
  const exchange = await examination.ask('auth', authQuestion(token, options.deviceId), 'a bad token')
  const { value, problem } = await decodeAuth(exchange)
  const status = exchange.answer?.status ?? 0
  if (problem !== undefined && status === examination.firstAuth?.answer?.status) {
    findings.skip('auth', 'a bad token', `HTTP status ${status}, as for a good token: mend that first`)
  } else if (problem !== undefined) {
    const refuses = status >= 400
    findings.fail('auth', 'a bad token', {
      seen: problem.seen,
      advice: refuses
        ? 'answer with status 200 and ok=false: any other status counts as a failure of the hook, the client gets 4503 and tries again for ever, and 5 in a row open the breaker, which keeps everybody out'
        : problem.advice,
    })
  } else if (value.ok) {
    findings.fail('auth', 'a bad token', {
      seen: `it lets an invented token in${value.userId === '' ? '' : ` as ${value.userId}`}`,
      advice: 'look the token up: now anybody is let in as anybody',
    })
  } else if (value.reason.includes(token)) {
    findings.warn('auth', 'a bad token', { seen: 'refused, and the reason repeats the token', advice: 'keep tokens out of reason: it is told to the client, and logged' })
  } else {
    findings.pass('auth', 'a bad token', `refused${value.reason === '' ? '' : `: ${value.reason}`} (${millis(exchange.ms)})`)
  }
}

async function checkUnicodeDevice (examination: Examination): Promise<void> {
  const { findings, options } = examination
  const name = 'a device id beyond ASCII'
  const exchange = await examination.ask('auth', authQuestion(options.token, UNICODE_ID), name)
  const { value, problem } = await decodeAuth(exchange)
  if (problem !== undefined) {
    findings.fail('auth', name, problem)
  } else if (!value.ok) {
    findings.fail('auth', name, {
      seen: `refused${value.reason === '' ? '' : `: ${value.reason}`}`, advice: 'take device ids as any UTF-8 text: clients choose them',
    })
  } else if (/\ufffd|\?\?/.test(value.deviceId) || (value.deviceId.startsWith('doctor-') && value.deviceId !== UNICODE_ID && value.deviceId !== options.deviceId)) {
    findings.fail('auth', name, { seen: `${UNICODE_ID} came back as ${value.deviceId}`, advice: 'handle ids as UTF-8 on the whole way' })
  } else {
    findings.pass('auth', name, 'taken')
  }
}

async function decodeAuth (exchange: Exchange): ReturnType<typeof decodeExchange<AuthResponse>> {
  return await decodeExchange(exchange, 'AuthResponse', body => fromBinary(AuthResponseSchema, body))
}
