import { Ajv, type ErrorObject } from 'ajv'
import type { Action, MockEvent, Scenario } from './scenario.js'
import { scenarioSchema } from './scenario-schema.js'

/** A scenario that cannot be played. The message has a line for each problem, each with its place. */
export class ScenarioError extends Error {
  readonly code = 'MICS_SCENARIO_INVALID'

  constructor (readonly problems: string[], where = 'the scenario') {
    super(`${where} cannot be used:\n${problems.map(problem => `  ${problem}`).join('\n')}\n` +
      'conformance/README.md describes what a scenario may have; its schema is conformance/scenario.schema.json')
    this.name = 'ScenarioError'
  }
}

/** More would not be read by anybody. */
const MAX_PROBLEMS = 20

/** Parts of an action that mean something for each event, beside those that do for all. */
const special: Record<MockEvent, (keyof Action)[]> = {
  connect: ['refuse', 'hang'],
  message: ['fail', 'error'],
  ping: [],
  delivery: [],
}
const everySpecial = [...new Set(Object.values(special).flat())]

let validate: ReturnType<Ajv['compile']> | undefined

/**
 * @param where the scenario's file, for messages
 * @throws {ScenarioError} with every problem, up to 20
 */
export function parseScenario (json: string, where?: string): Scenario {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new ScenarioError([`it is no JSON: ${(error as Error).message}`], where)
  }
  return checkScenario(value, where)
}

/** @throws {ScenarioError} with every problem, up to 20 */
export function checkScenario (value: unknown, where?: string): Scenario {
  validate ??= new Ajv({ allErrors: true, verbose: true, strictTypes: false }).compile(scenarioSchema)
  const problems = validate(value) ? meaningless(value as Scenario) : (validate.errors ?? []).flatMap(describe)
  if (problems.length > 0) throw new ScenarioError([...new Set(problems)].slice(0, MAX_PROBLEMS), where)
  return value as Scenario
}

/** What the schema cannot say. */
function meaningless ({ rules = [], held = [], client }: Scenario): string[] {
  const problems: string[] = []
  for (const [index, { when, do: action }] of rules.entries()) {
    const at = `rules[${index}]`
    try {
      if (when.msgId !== undefined) RegExp(when.msgId)
    } catch (error) {
      problems.push(`${at}.when.msgId is no regular expression: ${(error as Error).message}`)
    }
    for (const part of everySpecial) {
      if (part in action && !special[when.event].includes(part)) {
        const events = (Object.keys(special) as MockEvent[]).filter(event => special[event].includes(part))
        problems.push(`${at}.do.${part} is for the event ${events.join(' or ')}, not for ${when.event}`)
      }
    }
    if (action.drop === 'processed' && when.event !== 'message') {
      problems.push(`${at}.do.drop can be "processed" for the event message; for ${when.event} take before, half or after`)
    }
  }
  const scripted = [['held', held], ['client.send', client?.send ?? []]] as const
  for (const [place, messages] of scripted) {
    for (const [index, { toUserId, groupId }] of messages.entries()) {
      if ((toUserId === undefined) === (groupId === undefined)) {
        problems.push(`${place}[${index}] needs either toUserId or groupId`)
      }
    }
  }
  for (const [index, { from }] of held.entries()) {
    if (from === undefined) problems.push(`held[${index}].from is missing: the sender`)
  }
  return problems
}

function describe ({ instancePath, keyword, params, message, parentSchema }: ErrorObject): string[] {
  const at = placeOf(instancePath)
  switch (keyword) {
    case 'additionalProperties': {
      const known = Object.keys(parentSchema?.properties as object).join(', ')
      return [`${joined(at, String(params.additionalProperty))} is not known; there may be ${known}`]
    }
    case 'required':
      return [`${joined(at, String(params.missingProperty))} is missing`]
    case 'enum':
      return [`${at} must be one of ${(params.allowedValues as unknown[]).join(', ')}`]
    case 'const':
      return [`${at} must be ${JSON.stringify(params.allowedValue)}`]
    case 'anyOf':
      // What is wrong with each of the choices says more.
      return []
    default:
      return [`${at || 'the scenario'} ${message ?? 'is not valid'}`]
  }
}

/** `/rules/0/do` as `rules[0].do`. */
function placeOf (pointer: string): string {
  return pointer.split('/').slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((place, part) => /^\d+$/.test(part) ? `${place}[${part}]` : joined(place, part), '')
}

function joined (place: string, part: string): string {
  return place === '' ? part : `${place}.${part}`
}
