import { loadConfig } from '../config/load-config.js'
import { HOOK_TIMEOUT_MS } from '../hooks/hooks-client.js'
import { Tenant } from '../tenants/tenant.js'
import { checkAuth } from './check-auth.js'
import { checkBadCalls } from './check-bad-calls.js'
import { checkBatches } from './check-batches.js'
import { judgeIdle } from './check-idle.js'
import { checkLoad, type LoadFigures } from './check-load.js'
import { checkMembers } from './check-members.js'
import { checkMessages } from './check-messages.js'
import { checkOffline } from './check-offline.js'
import { checkReach } from './check-reach.js'
import { checkSignatures } from './check-signatures.js'
import { Examination, type DoctorOptions } from './examination.js'
import { checkGroups, type Finding, type Verdict } from './finding.js'
import { watchIdle, type IdleOutcome } from './idle-watch.js'

/** A little longer than the gateway itself keeps an idle connection. */
const IDLE_MS = 5000

export interface DoctorReport {
  /** Nothing failed. */
  ok: boolean
  counts: Record<Verdict, number>
  findings: Finding[]
  /** Of the calls at once; null where they were not made, or failed. */
  load: LoadFigures | null
}

export type GivenOptions = Pick<DoctorOptions, 'url' | 'tenantId'> & Partial<DoctorOptions>

/**
 * Calls a tenant's hooks as the gateway does, good calls and bad ones, and reports what it saw. Rejects only where the
 * fault is its own. `url` must be one that checkHookUrl takes.
 */
export async function examineHooks (given: GivenOptions): Promise<DoctorReport> {
  const options: DoctorOptions = {
    secret: '',
    token: 'valid:doctor',
    deviceId: 'doctor',
    only: new Set(checkGroups),
    skipBad: false,
    timeoutMs: 5000,
    budgetMs: HOOK_TIMEOUT_MS,
    idleMs: IDLE_MS,
    ...given,
  }
  const { tenantId: id, url: authUrl, secret } = options
  // The defaults of a gateway whose environment says nothing.
  const tenant = new Tenant({ id, authUrl, secret }, loadConfig({}, { embedded: true }))
  const examination = new Examination(options, tenant.settingsFor(undefined))
  try {
    const load = await examine(examination, tenant)
    const { all } = examination.findings
    const counts: Record<Verdict, number> = { pass: 0, warn: 0, fail: 0, skip: 0 }
    for (const { result } of all) counts[result]++
    return { ok: counts.fail === 0, counts, findings: all, load: load ?? null }
  } finally {
    await examination.close()
  }
}

async function examine (examination: Examination, tenant: Tenant): Promise<LoadFigures | undefined> {
  const { findings } = examination
  if (!await checkReach(examination)) {
    for (const check of checkGroups) if (check !== 'reach') findings.skip(check, 'all of it', 'the server was not reached')
    return undefined
  }
  const idle = examination.wants('load') ? watchAside(examination) : undefined
  await checkAuth(examination, tenant)
  // What these find out the later ones need, whether or not it is asked for.
  const needed = (['signatures', 'bad-calls', 'load'] as const).some(check => examination.wants(check))
  if (needed || examination.wants('check-message')) await checkMessages(examination)
  if (needed || examination.wants('check-messages')) await checkBatches(examination)
  if (needed || examination.wants('get-group-members')) await checkMembers(examination)
  if (needed || examination.wants('get-offline-messages')) await checkOffline(examination)
  if (examination.wants('signatures')) await checkSignatures(examination)
  if (examination.wants('bad-calls')) await checkBadCalls(examination)
  if (!examination.wants('load')) return undefined
  const figures = await checkLoad(examination)
  judgeIdle(examination, await idle)
  return figures
}

/** Goes on while other checks are made: it takes seconds. */
async function watchAside (examination: Examination): Promise<IdleOutcome | undefined> {
  const { probe, options } = examination
  const call = examination.callOf('auth', examination.goodQuestion('auth'))
  const url = new URL(call.baseUrl)
  return await watchIdle(url.origin + url.pathname.replace(/\/*$/, '/auth'), probe.request(call), options.idleMs)
}
