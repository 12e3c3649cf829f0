export type Labels = Readonly<Record<string, string | number>>

/**
 * Takes one sample.
 * @param suffix of the metric's name, such as `_sum` in a histogram
 */
export type Emit = (labels: Labels, value: number, suffix?: string) => void

/** One metric, read when Prometheus asks. */
export interface Metric {
  readonly name: string
  /** In plain words, for whoever meets the name in a query editor. */
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** Those that its samples may have, `le` of a histogram left out. */
  readonly labelNames: readonly string[]
  readonly read: (emit: Emit) => void
}

/** About a millisecond's work. */
const CHUNK_CHARACTERS = 64 * 1024

/**
 * Metrics in Prometheus' text format. Between portions of it everything else has its turn: with hundreds of tenants the
 * whole is a megabyte, and what is connected must not wait for that.
 * @param common labels that every sample has
 */
export async function exposition (metrics: Iterable<Metric>, common: Labels = {}): Promise<string> {
  let text = ''
  let chunkEnd = CHUNK_CHARACTERS
  for (const metric of metrics) {
    text += textOf(metric, common)
    if (text.length < chunkEnd) continue
    chunkEnd = text.length + CHUNK_CHARACTERS
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  return text
}

/** One metric with all of its samples. */
export function textOf ({ name, help, type, read }: Metric, common: Labels = {}): string {
  let text = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
  const first = pairs(common)
  read((labels, value, suffix = '') => { text += `${name}${suffix}${labelText(first, labels)} ${valueText(value)}\n` })
  return text
}

function labelText (first: string, labels: Labels): string {
  const text = pairs(labels, first)
  return text === '' ? '' : `{${text}}`
}

/** `name="value"`, behind those that there are already. */
function pairs (labels: Labels, text = ''): string {
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${escaped(labels[name])}"`
  return text
}

function escaped (value: string | number): string {
  if (typeof value === 'number') return valueText(value)
  return /["\\\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value
}

/** JavaScript and Prometheus agree on all numbers but these. */
function valueText (value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return String(value)
}
