import { rows } from './definition.js'

/** Grafana's grid has 24 columns. */
const COLUMNS = 24
const SIZES = { stat: { w: 4, h: 4 }, timeseries: { w: 12, h: 8 } }

const datasource = { type: 'prometheus', uid: '${datasource}' } // eslint-disable-line no-template-curly-in-string

/** What stands for what in queries. */
const FILTERS = {
  TENANT: 'job=~"$job", instance=~"$node", tenant=~"$tenant"',
  NODE: 'job=~"$job", instance=~"$node"',
  RATE: '$__rate_interval',
}

/** The dashboard as Grafana imports it. */
export function dashboard () {
  return {
    uid: 'mics',
    title: 'MICS',
    description: 'Gateways of MICS: all of them, by tenant and by node. What each metric means is in docs/metrics.md.',
    tags: ['mics'],
    schemaVersion: 41,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: '',
    templating: { list: variables() },
    annotations: { list: [] },
    links: [],
    panels: panels(),
  }
}

/** @returns {string} a query as Prometheus gets it, but for Grafana's own variables */
function expression (query) {
  return query.replace(/\b(TENANT|NODE|RATE)\b/g, name => FILTERS[name])
}

function variables () {
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', refresh: 1, current: {} },
    queryVariable('job', 'Job', 'label_values(mics_node_info, job)'),
    queryVariable('node', 'Node', 'label_values(mics_node_info{job=~"$job"}, instance)'),
    queryVariable('tenant', 'Tenant', 'label_values(mics_connections{job=~"$job"}, tenant)'),
  ]
}

function queryVariable (name, label, query) {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { selected: true, text: ['All'], value: ['$__all'] },
  }
}

/** All rows with their panels, from left to right and from top to bottom. */
function panels () {
  const all = []
  let top = 0
  for (const row of rows) {
    all.push({ id: all.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y: top++, w: COLUMNS, h: 1 }, panels: [] })
    let left = 0
    let height = 0
    for (const definition of row.panels) {
      const size = SIZES[definition.kind ?? 'timeseries']
      if (left + size.w > COLUMNS || (height > 0 && size.h !== height)) {
        top += height
        left = 0
      }
      height = size.h
      all.push(panel(all.length + 1, definition, { x: left, y: top, ...size }))
      left += size.w
    }
    top += height
  }
  return all
}

function panel (id, { title, unit = 'short', kind = 'timeseries', queries }, gridPos) {
  return {
    id,
    type: kind,
    title,
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: kind === 'stat'
      ? { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, graphMode: 'area', colorMode: 'none' }
      : { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: Object.entries(queries).map(([legendFormat, query], i) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + i), datasource, expr: expression(query), legendFormat,
    })),
  }
}
