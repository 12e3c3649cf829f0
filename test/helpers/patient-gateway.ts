import type { Test } from 'tap'
import { HookTransport } from '../../lib/hooks/hook-transport.js'
import { startGateway, type TestGateway } from './gateway.js'

/**
 * A gateway whose hook calls may take seconds. For tests that are not about deadlines: on a busy machine a call that
 * is answered at once can still take longer than the 150 ms it has.
 */
export async function startPatientGateway (t: Test, env: NodeJS.ProcessEnv = {}): Promise<TestGateway> {
  const { post } = HookTransport.prototype
  HookTransport.prototype.post = function (request) {
    return post.call(this, { ...request, timeoutMs: 10_000 })
  }
  t.teardown(() => { HookTransport.prototype.post = post })
  return await startGateway(t, env)
}
