import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { findKubernetesSchemas } from '../../scripts/find-helm.js'
import type { KubernetesObject } from '../helpers/helm.js'

/**
 * Kubernetes' own schemas of one of its versions, in their strict form: a field that it does not know is a problem. For
 * what is no part of Kubernetes there are schemas beside this file, which know just the fields that the chart uses.
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
    const own = join(import.meta.dirname, 'schemas', `${kind.toLowerCase()}.json`)
    if (existsSync(own)) return own
    return join(this.folder, `${[kind, ...apiVersion.replace(/\..*\//, '/').split('/')].join('-').toLowerCase()}.json`)
  }
}
