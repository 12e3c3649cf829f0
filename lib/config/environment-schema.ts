import { Ajv, type ErrorObject } from 'ajv'
import { checkHookUrl } from '../tenants/hook-url.js'
import { tenantIdPattern, tenantIdTakes } from '../tenants/tenant-id.js'
import type { ConfigProblem } from './config-error.js'
import { environmentVariable, environmentVariables, takes, type EnvironmentVariable } from './environment.js'
import { textFormats } from './text-formats.js'

const longestQuote = 60

const ajv = new Ajv({ allErrors: true, verbose: true })
for (const [name, check] of Object.entries(textFormats)) {
  ajv.addFormat(name, value => check(value) === undefined)
}

const validate = ajv.compile({
  type: 'object',
  properties: Object.fromEntries(environmentVariables.map(variable => [variable.name, schemaOf(variable)])),
})

/** All that is wrong with the values, by variable name, after parsing. */
export function problemsOf (values: Record<string, unknown>): ConfigProblem[] {
  if (validate(values)) return []
  const problems = new Map<string, ConfigProblem>()
  for (const error of validate.errors ?? []) {
    const [name = '', tenantId] = error.instancePath.split('/').slice(1).map(unescapePointer)
    // ajv reports a bad property name twice: once with the rule it broke, once as a bad name. The second has it all.
    if (error.schemaPath.includes('/propertyNames/')) continue
    const message = `${name}: ${problemText(environmentVariable(name), error, tenantId)}`
    problems.set(message, { variable: name, message })
  }
  return [...problems.values()]
}

function schemaOf (variable: EnvironmentVariable): object {
  switch (variable.type) {
    case 'integer': return { type: 'integer', minimum: variable.min, maximum: variable.max }
    case 'boolean': return { type: 'boolean' }
    case 'choice': return { enum: variable.choices }
    case 'text': return { type: 'string', format: variable.format }
    case 'tenant-map': return {
      type: 'object',
      propertyNames: { pattern: tenantIdPattern },
      additionalProperties: tenantValueSchema(variable),
    }
  }
}

function tenantValueSchema ({ values, min, max }: EnvironmentVariable & { type: 'tenant-map' }): object {
  switch (values) {
    case 'url': return { type: 'string', format: 'base-url' }
    case 'secret': return { type: 'string' }
    case 'integer': return { type: 'integer', minimum: min, maximum: max }
  }
}

function problemText (variable: EnvironmentVariable, error: ErrorObject, tenantId: string | undefined): string {
  if (variable.type === 'tenant-map') return tenantMapProblem(variable, error, tenantId)
  const wrong = variable.type === 'text'
    ? textFormats[variable.format](String(error.data)) ?? 'is not text'
    : `${quote(error.data)} is not allowed`
  return `${wrong}; it takes ${takes(variable)}`
}

function tenantMapProblem (
  variable: EnvironmentVariable & { type: 'tenant-map' }, error: ErrorObject, tenantId: string | undefined
): string {
  if (error.keyword === 'propertyNames') {
    // Somebody may have written secrets and tenants the wrong way round.
    const key = variable.secret ? 'a key' : quote(error.params.propertyName)
    return `${key} is not a tenant id; it takes ${tenantIdTakes}`
  }
  const tenant = quote(tenantId)
  switch (variable.values) {
    case 'url': {
      const wrong = typeof error.data === 'string' ? checkHookUrl(error.data) : 'is not text'
      return `the URL of tenant ${tenant} ${wrong}; it takes an http or https URL such as http://hooks.acme.example:8081`
    }
    case 'secret': return `the secret of tenant ${tenant} is not text; put it in quotes`
    case 'integer': return `the value of tenant ${tenant} is not allowed; it takes a whole number from ${variable.min} to ${variable.max}`
  }
}

/** A value as an error message may show it: quoted, so that spaces are seen, and not endless. */
function quote (value: unknown): string {
  const text = String(value)
  return JSON.stringify(text.length > longestQuote ? `${text.slice(0, longestQuote)}...` : text)
}

/** JSON Pointer's own escapes (RFC 6901). */
function unescapePointer (part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~')
}
