// Writes the Grafana dashboard from its definition, scripts/dashboard/definition.js.
import { writeFileSync } from 'node:fs'
import { dashboard } from './dashboard/dashboard.js'

const file = new URL('../helm/mics/files/dashboard.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(dashboard(), undefined, 2)}\n`)
