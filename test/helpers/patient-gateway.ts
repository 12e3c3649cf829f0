import type { Test } from 'tap'
import { startGateway, type TestGateway } from './gateway.js'
import { PATIENT } from './until.js'

/**
 * A gateway whose hook calls may take seconds. For tests that are not about deadlines: on a busy machine a call that
 * is answered at once can still take longer than the 150 ms it has.
 */
export async function startPatientGateway (t: Test, env: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
  return await startGateway(t, env, PATIENT)
}
