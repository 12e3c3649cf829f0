import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { findKubernetesSchemas } from '../../scripts/find-helm.js'
import type { KubernetesObject } from '../helpers/helm.js'
import { customResourceSchemas } from './custom-resources.js'

/**
 * Kubernetes' own schemas of one of its versions, in their strict form, and those of custom resources: a field that
 * they do not know is a problem.
 */
export class KubernetesSchemas {
  // The same text means the same there: `format: int32` and the like say nothing that `type` does not.
  private readonly ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false })
  private readonly folder: string

  constructor (version: string) {
    const folder = findKubernetesSchemas()
    if (folder === undefined) throw new Error('no schemas of Kubernetes found: run `node scripts/install-helm.js`')
    this.folder = join(folder, version)
    this.ajv.addSchema(JSON.parse(readFileSync(join(this.folder, '_definitions.json'), 'utf8')))
    for (const [name, schema] of customResourceSchemas()) this.ajv.addSchema(schema, name)
  }

  /** Every problem of an object, one line each; none where it is good. */
  problemsOf (object: KubernetesObject): string[] {
    const validate = this.validatorOf(object)
    if (validate(object)) return []
    return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath}: ${message} ${JSON.stringify(params)}`)
  }

  private validatorOf ({ apiVersion, kind }: KubernetesObject): ValidateFunction {
    const name = `${apiVersion}/${kind}`
    const known = this.ajv.getSchema(name)
    if (known !== undefined) return known
    this.ajv.addSchema(JSON.parse(readFileSync(this.fileOf(apiVersion, kind), 'utf8')), name)
    return this.ajv.getSchema(name) as ValidateFunction
  }

  /** Theirs have names such as `deployment-apps-v1.json`, `ingress-networking-v1.json` and `service-v1.json`. */
  private fileOf (apiVersion: string, kind: string): string {
    return join(this.folder, `${[kind, ...apiVersion.replace(/\..*\//, '/').split('/')].join('-').toLowerCase()}.json`)
  }
}
