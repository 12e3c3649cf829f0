import type { Test } from 'tap'
import { followPlaybook } from './playbook.js'

export const acceptancePage = 'docs/ops/acceptance.md'

/** What comes first and last, whichever chapters are between. */
const [first, last] = ['Start', 'End']

/** The other chapters of the page, in parts that take a test of their own each. */
export const acceptanceParts = {
  chats: ['Chat', 'Tenants'],
  limits: ['Limits', 'Looking inside'],
  secrets: ['Secrets that change'],
  failures: ['Hooks that fail', 'Nodes that stop', 'Redis that stops'],
  events: ['Events'],
}

export async function followPart (t: Test, part: keyof typeof acceptanceParts): Promise<void> {
  await followPlaybook(t, acceptancePage, [first, ...acceptanceParts[part], last])
}

/** All chapters that tests follow. */
export const followedChapters = [first, ...Object.values(acceptanceParts).flat(), last]
