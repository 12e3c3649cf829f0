import { ratio } from './judgement.js'
import { times } from './numbers.js'
import type { Report } from './result.js'
import { line, rectangle, svg, text } from './svg.js'

const WIDTH = 800
const LABELS = 290
const RIGHT = 130
const ROW = 26
const TOP = 34
const BOTTOM = 34

/** How many times what Socket.IO does, a bar for each load in which both were measured. Undefined: there is none. */
export function throughputPlot ({ results }: Report): string | undefined {
  const bars = results.filter(({ unit, base }) => unit.endsWith('/s') && base?.name === 'Socket.IO').flatMap(result => {
    const found = ratio(result)
    return found === undefined || !Number.isFinite(found.value) ? [] : [{ name: result.name, ...found }]
  })
  if (bars.length === 0) return undefined
  const most = Math.max(1, ...bars.map(({ to }) => to))
  const x = (value: number): number => LABELS + value / most * (WIDTH - LABELS - RIGHT)
  const height = TOP + bars.length * ROW + BOTTOM
  const elements = bars.flatMap(({ name, value, from, to }, i) => {
    const y = TOP + i * ROW
    return [
      text(LABELS - 10, y + 16, name, { anchor: 'end' }),
      rectangle(x(0), y + 4, x(value) - x(0), 16, 'a'),
      line([[x(from), y + 12], [x(to), y + 12]], 'axis'),
      text(x(to) + 8, y + 16, `${times(value)} times`),
    ]
  })
  return svg({
    width: WIDTH,
    height,
    title: 'Throughput beside Socket.IO',
    description: bars.map(({ name, value }) => `${name}: ${times(value)} times`).join('; '),
  }, [
    text(LABELS, 20, 'times the messages or deliveries a second of Socket.IO', { kind: 'quiet' }),
    ...elements,
    line([[x(1), TOP], [x(1), height - BOTTOM + 4]], 'axis dashed'),
    text(x(1), height - 12, 'Socket.IO', { anchor: 'middle', kind: 'quiet' }),
  ])
}
