import { readdirSync, readFileSync } from 'node:fs'
import { parseScenario } from '../../lib/mock-gateway/parse-scenario.js'
import type { Expectation, Scenario, ScriptedClient } from '../../lib/mock-gateway/scenario.js'

export type ShippedScenario = Scenario & { description: string, client: ScriptedClient, expect: Expectation }

const folder = new URL('../../conformance/scenarios/', import.meta.url)

/** The scenarios in conformance/scenarios, by name. */
export function shippedScenarios (): [name: string, scenario: ShippedScenario][] {
  return readdirSync(folder).sort().map(file => {
    const scenario = parseScenario(readFileSync(new URL(file, folder), 'utf8'), file)
    return [file.replace(/\.json$/, ''), scenario as ShippedScenario]
  })
}
