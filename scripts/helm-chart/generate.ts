// Writes what of the chart follows from the code: values.schema.json, and the table of values in its README.
import { readFileSync, writeFileSync } from 'node:fs'
import { valuesSchema } from './values-schema.js'
import { describedValues, valuesTable, withTable } from './values-table.js'

const chart = new URL('../../helm/mics/', import.meta.url)
const readme = new URL('README.md', chart)

writeFileSync(new URL('values.schema.json', chart), `${JSON.stringify(valuesSchema(), null, 2)}\n`)
const values = describedValues(readFileSync(new URL('values.yaml', chart), 'utf8'))
writeFileSync(readme, withTable(readFileSync(readme, 'utf8'), valuesTable(values)))
