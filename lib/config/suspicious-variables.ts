import { closest } from './edit-distance.js'
import { environmentVariables } from './environment.js'
import { isSet } from './load-config.js'

const names = new Set(environmentVariables.map(({ name }) => name))

/** `HOOK_`, `KAFKA_` and so on; `PORT` and `HOST` stand for themselves. */
const prefixes = new Set([...names].map(name => name.includes('_') ? name.slice(0, name.indexOf('_') + 1) : name))

/** Close to ours, yet other people's: Kubernetes manifests set NODE_IP from the node's address. */
const innocent = new Set(['NODE_IP'])

/** One warning a variable that is set, is not ours, and looks like a misspelling of one of ours. */
export function suspiciousVariables (env: NodeJS.ProcessEnv): string[] {
  const warnings: string[] = []
  for (const name of Object.keys(env)) {
    if (names.has(name) || innocent.has(name) || !isSet(env, name)) continue
    if (![...prefixes].some(prefix => name.startsWith(prefix))) continue
    const meant = closest(name, names)
    if (meant !== undefined) warnings.push(`${name} is set but means nothing here; did you mean ${meant}?`)
  }
  return warnings
}
