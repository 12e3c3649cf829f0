import { isMap, isNode, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml'

const marks = { start: '<!-- values -->', end: '<!-- /values -->' }

/** A line of the table: a value by its path, its default as JSON, and what its comment in values.yaml says. */
export interface DescribedValue {
  path: string
  byDefault: string
  description: string
}

/** Every value that values.yaml has, in its order. What stands in one line there, or is empty, is one value. */
export function describedValues (yaml: string): DescribedValue[] {
  const { contents } = parseDocument(yaml)
  if (!isMap(contents)) throw new Error('values.yaml is no mapping')
  return valuesOf(contents, '')
}

function valuesOf (map: YAMLMap, prefix: string): DescribedValue[] {
  return map.items.flatMap((pair, index) => {
    const { key, value } = pair as Pair
    const path = `${prefix}${String(isScalar(key) ? key.value : key)}`
    // The comment above the first key of a map is, to the parser, the map's own.
    const comment = (isScalar(key) ? key.commentBefore : undefined) ?? (index === 0 ? map.commentBefore : undefined)
    const description = lastParagraph(comment ?? '')
    if (isMap(value) && value.items.length > 0 && value.flow !== true) {
      const own = description === '' ? [] : [{ path, byDefault: '', description }]
      return [...own, ...valuesOf(value, `${path}.`)]
    }
    return [{ path, byDefault: JSON.stringify(isNode(value) ? value.toJSON() : value), description }]
  })
}

/** Comments above that are not about this value end with an empty line. */
function lastParagraph (comment: string): string {
  return (comment.split(/\n\s*\n/).at(-1) ?? '').split('\n').map(line => line.trim()).join(' ').trim()
}

export function valuesTable (values: DescribedValue[]): string {
  const rows = values.map(({ path, byDefault, description }) =>
    `| \`${path}\` | ${byDefault === '' ? '' : `\`${byDefault}\``} | ${description} |`)
  return ['| value | default | meaning |', '|---|---|---|', ...rows].join('\n')
}

/** The README with the table of these values between its marks. */
export function withTable (readme: string, table: string): string {
  const [start, end] = [readme.indexOf(marks.start), readme.indexOf(marks.end)]
  if (start === -1 || end === -1) throw new Error(`README.md lacks ${marks.start} and ${marks.end}`)
  return `${readme.slice(0, start)}${marks.start}\n${table}\n${readme.slice(end)}`
}
