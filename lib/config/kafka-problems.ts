import type { ConfigProblem } from './config-error.js'
import { environmentVariable } from './environment.js'

const login = ['KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD']
const tls = ['KAFKA_SSL_CA_FILE', 'KAFKA_SSL_CERT_FILE', 'KAFKA_SSL_KEY_FILE', 'KAFKA_SSL_KEY_PASSWORD']

/** Which of them is nothing without which other. */
const companions: [name: string, needs: string][] = [
  ['KAFKA_SSL_CERT_FILE', 'KAFKA_SSL_KEY_FILE'],
  ['KAFKA_SSL_KEY_FILE', 'KAFKA_SSL_CERT_FILE'],
  ['KAFKA_SSL_KEY_PASSWORD', 'KAFKA_SSL_KEY_FILE'],
]

/**
 * What the variables of Kafka say that cannot be true together.
 * @param values the variables that are set, each of the right form but for those in `bad`
 * @param bad names of variables about which there is a problem already
 */
export function kafkaProblems (values: Record<string, unknown>, bad: ReadonlySet<string>): ConfigProblem[] {
  return [...securityProblems(values, bad), ...topicProblems(values, bad)]
}

/** A password that would go unused may be meant to protect something; a login without one cannot work. */
function securityProblems (values: Record<string, unknown>, bad: ReadonlySet<string>): ConfigProblem[] {
  if (bad.has('KAFKA_SECURITY_PROTOCOL')) return []
  const protocol = String(values.KAFKA_SECURITY_PROTOCOL ?? 'plaintext')
  const logsIn = protocol.startsWith('sasl_')
  const isEncrypted = protocol.endsWith('ssl')
  const isGiven = (name: string): boolean => values[name] !== undefined
  const problems: ConfigProblem[] = []

  for (const variable of login) {
    if (logsIn && !isGiven(variable)) {
      problems.push({ variable, message: `${variable}: is not set, and KAFKA_SECURITY_PROTOCOL is ${protocol}, which logs in; set it` })
    } else if (!logsIn && isGiven(variable)) {
      problems.push({ variable, message: unused(variable, `${protocol}, which does not log in`, isEncrypted ? 'sasl_ssl' : 'sasl_ssl or sasl_plaintext') })
    }
  }
  for (const variable of tls) {
    if (!isEncrypted && isGiven(variable)) {
      problems.push({ variable, message: unused(variable, `${protocol}, which does not use TLS`, logsIn ? 'sasl_ssl' : 'ssl') })
    }
  }
  if (isEncrypted) {
    for (const [variable, needs] of companions) {
      if (isGiven(variable) && !isGiven(needs)) {
        problems.push({ variable, message: `${variable}: is set, and ${needs} is not; set both or neither` })
      }
    }
  }
  return problems.filter(({ variable }) => !bad.has(variable))
}

function unused (variable: string, why: string, instead: string): string {
  return `${variable}: is set, and KAFKA_SECURITY_PROTOCOL is ${why}; set that to ${instead}, or unset ${variable}`
}

/**
 * No tenant may find its events among another's dead letters. With `{tenant_id}` and `{tenant_id}-dlq` the tenant
 * `a-dlq` would: one name can come from both where of the texts before the id one begins with the other, and of the
 * texts behind it one ends with the other.
 */
function topicProblems (values: Record<string, unknown>, bad: ReadonlySet<string>): ConfigProblem[] {
  const [events, letters] = ['KAFKA_EVENT_TOPIC', 'KAFKA_DLQ_TOPIC']
  if (bad.has(events) || bad.has(letters)) return []
  const [[before, behind], [otherBefore, otherBehind]] = [aroundId(events, values), aroundId(letters, values)]
  const canMeet = (before.startsWith(otherBefore) || otherBefore.startsWith(before)) &&
    (behind.endsWith(otherBehind) || otherBehind.endsWith(behind))
  if (!canMeet) return []
  const message = `${letters}: with ${events}, dead letters of one tenant and events of another could share a topic; ` +
    'let the two begin differently, or end differently, such as with -event and -event-dlq'
  return [{ variable: letters, message }]
}

/** The texts before and behind the tenant id in the name of a topic. */
function aroundId (name: string, values: Record<string, unknown>): [string, string] {
  const variable = environmentVariable(name)
  const template = String(values[name] ?? (variable.type === 'text' ? variable.default : ''))
  // Kafka takes no topics that differ only in these two.
  const [before = '', behind = ''] = template.replaceAll('.', '_').split('{tenant_id}')
  return [before, behind]
}
