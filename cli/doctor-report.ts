import type { CheckGroup, Finding, Verdict } from '../lib/hook-doctor/finding.js'
import type { DoctorReport } from '../lib/hook-doctor/hook-doctor.js'

const SIGNS: Record<Verdict, string> = { pass: '✓', warn: '!', fail: '✗', skip: '-' }

/** Where nobody looks, and programs read: what grep finds. */
const WORDS: Record<Verdict, string> = { pass: 'pass', warn: 'WARN', fail: 'FAIL', skip: 'skip' }

const TITLES: Record<CheckGroup, string> = {
  reach: 'Reaching the server',
  auth: 'POST /auth',
  'check-message': 'POST /check-message',
  'check-messages': 'POST /check-messages',
  'get-group-members': 'POST /get-group-members',
  'get-offline-messages': 'POST /get-offline-messages',
  signatures: 'Forged calls',
  'bad-calls': 'Broken and huge calls',
  load: 'Time and connections',
}

/** Lines for people, as the findings come. */
export class DoctorReportLines {
  private check?: CheckGroup

  /** @param isTerminal whether signs are shown, else words */
  constructor (private readonly isTerminal: boolean) {}

  of ({ check, name, result, seen, advice }: Finding): string[] {
    const marks = this.isTerminal ? SIGNS : WORDS
    const title = this.check === check ? [] : ['', TITLES[check]]
    this.check = check
    const line = `  ${marks[result]} ${name}${seen === '' ? '' : `: ${seen}`}`
    const indent = ' '.repeat(3 + marks[result].length)
    return [...title, line, ...advice === '' ? [] : [`${indent}${this.isTerminal ? '→' : '->'} ${advice}`]]
  }

  summary ({ ok, counts }: DoctorReport): string[] {
    const parts = [`${counts.pass} passed`, `${counts.warn} to look at`, `${counts.fail} failed`]
    if (counts.skip > 0) parts.push(`${counts.skip} skipped`)
    const verdict = ok ? 'A gateway can work with this server.' : 'A gateway cannot work with this server as it should: mend what failed.'
    return ['', `${parts.join(', ')}. ${verdict}`]
  }
}
