import type { Test } from 'tap'
import type { Finding } from '../../lib/hook-doctor/finding.js'
import { examineHooks, type DoctorReport, type GivenOptions } from '../../lib/hook-doctor/hook-doctor.js'
import { SECRET } from '../helpers/strict-hook-server.js'

/** Examines a server; a call may take as long as it does on a machine that is busy with other tests. */
export async function examine (url: string, options: Partial<GivenOptions> = {}): Promise<DoctorReport> {
  return await examineHooks({
    url, tenantId: 'acme', secret: SECRET, groupId: 'team', timeoutMs: 60_000, budgetMs: 60_000, ...options,
  })
}

/** What was found that is not good, one line each. */
export function troubles ({ findings }: DoctorReport): string[] {
  return findings.filter(({ result }) => result === 'warn' || result === 'fail').map(line)
}

/** Asserts that this and nothing else was found not to be good. */
export function found (t: Test, report: DoctorReport, ...patterns: RegExp[]): void {
  const lines = troubles(report)
  t.equal(lines.length, patterns.length, `${patterns.length} findings: ${lines.join(' | ')}`)
  patterns.forEach((pattern, index) => t.match(lines[index] ?? '', pattern))
}

function line ({ result, check, name, seen, advice }: Finding): string {
  return `${result} ${check}, ${name}: ${seen} => ${advice}`
}
