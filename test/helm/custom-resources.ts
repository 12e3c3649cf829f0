import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { customResourceModules, findCustomResources } from '../../scripts/find-helm.js'

type Schema = Record<string, any>

/**
 * The JSON schemas of the custom resources that the chart makes, by `apiVersion/kind`, out of the definitions that a
 * cluster would have. A field that they do not know is a problem; Kubernetes would drop it without a word.
 */
export function customResourceSchemas (): Map<string, Schema> {
  const folder = findCustomResources()
  if (folder === undefined) throw new Error('no schemas of custom resources found: run `node scripts/install-helm.js`')
  const schemas = new Map<string, Schema>()
  for (const file of customResourceModules.flatMap(({ files }) => files)) {
    const { group, names, versions } = parse(readFileSync(join(folder, file), 'utf8')).spec
    for (const { name, served, schema } of versions) {
      const key = [group, name, names.kind].join('/')
      if (served === true) schemas.set(key, strict(schema.openAPIV3Schema))
    }
  }
  return schemas
}

/**
 * The same schema, with no fields allowed but those that are named. Only fields, items and values are looked into: what
 * is beneath `anyOf` and the like says more about a field that is named beside it.
 */
function strict (schema: Schema): Schema {
  const { properties, items, additionalProperties, nullable, pattern, ...rest } = schema
  const closed = properties !== undefined && schema['x-kubernetes-preserve-unknown-fields'] !== true
  return {
    ...rest,
    // `(?i)` and the like are of Go, JavaScript has no such flags.
    ...pattern !== undefined && !pattern.includes('(?i)') && { pattern },
    ...nullable === true && { type: [schema.type, 'null'] },
    ...items !== undefined && { items: strict(items) },
    ...properties !== undefined && {
      properties: Object.fromEntries(Object.entries<Schema>(properties).map(([name, value]) => [name, strict(value)])),
    },
    ...typeof additionalProperties === 'object' && { additionalProperties: strict(additionalProperties) },
    ...closed && additionalProperties === undefined && { additionalProperties: false },
  }
}
