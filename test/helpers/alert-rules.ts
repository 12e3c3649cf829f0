import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { root } from './markdown.js'

export interface AlertRule {
  alert: string
  expr: string
  for: string
  labels: Record<string, string>
  annotations: Record<string, string>
}

export const alertsFile = `${root}helm/mics/files/alerts.yaml`

/** The groups of the rule file that is shipped. */
export function alertGroups (): Array<{ name: string, rules: AlertRule[] }> {
  return parse(readFileSync(alertsFile, 'utf8')).groups
}

/** The names of metrics in a query, those of a histogram's parts as the histogram's. */
export function metricsIn (query: string): string[] {
  const names = query.match(/\b(?:mics|process|nodejs|http)_\w+|\bup\b/g) ?? []
  return [...new Set(names.map(name => name.replace(/_(bucket|sum|count)$/, '')))]
}
