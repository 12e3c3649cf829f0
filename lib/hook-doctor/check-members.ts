import { GroupMembers } from '../hooks/group-members.js'
import { decodeExchange } from './answer-problem.js'
import { UNICODE_ID } from './check-auth.js'
import type { Examination } from './examination.js'
import { membersQuestion } from './hook-questions.js'
import { millis } from './latencies.js'

/** GROUP_MEMBERS_MAX_USERS, where the operator did not change it. */
const MOST_MEMBERS = 200_000

/** Ids that are decoded at once. */
const CHUNK = 10_000

export async function checkMembers (examination: Examination): Promise<void> {
  const { findings, options: { groupId }, unknownGroup, answering } = examination
  if (groupId === undefined) {
    findings.skip('get-group-members', 'a group', 'name one that has members with --group')
  } else {
    const members = await ask(examination, groupId, `the group ${groupId}`)
    if (members !== undefined) answering.set('get-group-members', members.count > 0 ? 'yes' : 'no')
    if (members?.count === 0) {
      findings.fail('get-group-members', `the group ${groupId}`, {
        seen: 'no members', advice: 'list them in user_ids, field 2: a message to a group without members fails with "group members empty"',
      })
    }
  }
  const unknown = await ask(examination, unknownGroup, 'an unknown group', {
    seen: '', advice: 'answer with status 200 and no members: other statuses are failures, and 5 in a row open the breaker for all groups',
  })
  if (unknown === undefined) return
  if (!answering.has('get-group-members')) answering.set('get-group-members', unknown.count > 0 ? 'yes' : 'no')
  if (unknown.count > 0) {
    findings.warn('get-group-members', 'an unknown group', {
      seen: `it has ${unknown.count} ${unknown.count === 1 ? 'member' : 'members'}`, advice: 'answer without members where there is no such group',
    })
  }
  await ask(examination, UNICODE_ID, 'a group id beyond ASCII')
}

/** Finds what is wrong with any answer, else passes; whether there should be members is the caller's to say. */
async function ask (
  examination: Examination, groupId: string, name: string, statusProblem?: { seen: string, advice: string }
): Promise<GroupMembers | undefined> {
  const { findings } = examination
  const exchange = await examination.ask('get-group-members', membersQuestion(groupId), name)
  const { value, problem } = await decodeExchange(exchange, 'GetGroupMembersResponse', body => GroupMembers.parse(body))
  if (problem !== undefined) {
    const isPlain = [400, 404, 410, 422].includes(exchange.answer?.status ?? 0)
    const advice = isPlain && statusProblem !== undefined ? statusProblem.advice : problem.advice
    findings.fail('get-group-members', name, { seen: problem.seen, advice })
    return undefined
  }
  const { empty, twice } = oddities(value)
  if (empty > 0) {
    findings.warn('get-group-members', name, { seen: `${empty} of ${value.count} ids are empty`, advice: 'leave empty ids out' })
  } else if (value.count > MOST_MEMBERS) {
    findings.warn('get-group-members', name, {
      seen: `${value.count} members`, advice: `a gateway with GROUP_MEMBERS_MAX_USERS as it is by default fails messages to more than ${MOST_MEMBERS}`,
    })
  } else if (isAsExpected(examination, groupId, value.count)) {
    const again = twice === 0 ? '' : `, ${twice} of them listed again, which is fine`
    findings.pass('get-group-members', name, `${value.count} ${value.count === 1 ? 'member' : 'members'}${again} (${millis(exchange.ms)})`)
  }
  return value
}

/** A group that was named has members, one that was invented has none; a strange id may be a group or not. */
function isAsExpected ({ options, unknownGroup }: Examination, groupId: string, count: number): boolean {
  if (groupId === options.groupId) return count > 0
  return groupId !== unknownGroup || count === 0
}

function oddities (members: GroupMembers): { empty: number, twice: number } {
  const seen = new Set<string>()
  let empty = 0
  while (!members.isAtEnd) {
    for (const id of members.take(CHUNK)) {
      if (id === '') empty++
      else seen.add(id)
    }
  }
  return { empty, twice: members.count - empty - seen.size }
}
