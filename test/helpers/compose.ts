import { parse } from 'yaml'
import { readDocument } from './markdown.js'

export interface Service {
  build?: string
  image?: string
  command?: string[]
  environment?: Record<string, string | number>
  ports?: string[]
  volumes?: string[]
  depends_on?: Record<string, { condition: string }> | string[]
  healthcheck?: { disable?: boolean, test?: string[] }
}

/** compose.yaml as Docker reads it, its variables as they are written. */
export const compose: { services: Record<string, Service>, volumes: Record<string, unknown> } =
  parse(readDocument('compose.yaml'), { merge: true })

/** The variables of a service as Docker passes them where there is no `.env`. */
export function environmentOf ({ environment = {} }: Service): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).map(([name, value]) =>
    [name, String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1')]))
}

/** The files of ours that a service gets: by their places in its container, those here, from the root. */
export function filesOf ({ volumes = [] }: Service): Map<string, string> {
  const files = volumes.filter(volume => volume.startsWith('./')).map(volume => volume.split(':'))
  return new Map(files.map(([source, target]) => [target, source.slice('./'.length)]))
}
