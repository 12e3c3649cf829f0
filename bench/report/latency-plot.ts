import { figure } from './numbers.js'
import type { LatencyPoint, Report } from './result.js'
import { line, svg, text } from './svg.js'

const WIDTH = 800
const HEIGHT = 380
const LEFT = 70
const RIGHT = 170
const TOP = 40
const BOTTOM = 50
const LINE_HEIGHT = 16

const PARTS = [
  { part: 'p50Ms', label: 'p50', kind: '' },
  { part: 'p99Ms', label: 'p99', kind: 'dashed' },
] as const

/** Milliseconds to the ack by messages a second, a line for each server and quantile. Undefined: there are none. */
export function latencyPlot ({ latencies }: Report): string | undefined {
  if (latencies.length === 0) return undefined
  const all = latencies.flatMap(({ p50Ms, p99Ms }) => [p50Ms, p99Ms])
  // Between powers of ten: a server near its limit is tens of times slower than one at rest.
  const [low, high] = [Math.floor(Math.log10(Math.min(...all))), Math.ceil(Math.log10(Math.max(...all)) + 1e-9)]
  const span = Math.max(1, high - low)
  const most = Math.max(...latencies.map(({ messagesPerSecond }) => messagesPerSecond))
  const x = (rate: number): number => LEFT + rate / most * (WIDTH - LEFT - RIGHT)
  const y = (ms: number): number => TOP + (low + span - Math.log10(ms)) / span * (HEIGHT - TOP - BOTTOM)
  const names = [...new Set(latencies.map(({ name }) => name))]
  const labels: Label[] = []
  const lines = names.flatMap((name, n) => {
    const points = latencies.filter(point => point.name === name)
      .toSorted((a, b) => a.messagesPerSecond - b.messagesPerSecond)
    const last = points[points.length - 1]
    return PARTS.map(({ part, label, kind }) => {
      labels.push({ x: x(last.messagesPerSecond) + 8, y: y(last[part]) + 4, content: `${name} ${label}` })
      return line(points.map(point => [x(point.messagesPerSecond), y(point[part])]), `line ${'ab'[n % 2]} ${kind}`)
    })
  })
  const ticks = Array.from({ length: span + 1 }, (_, i) => 10 ** (low + i))
  const rates = [0, 0.25, 0.5, 0.75, 1].map(share => share * most)
  return svg({
    width: WIDTH,
    height: HEIGHT,
    title: 'Time to the ack by load',
    description: latencies.map(pointText).join('; '),
  }, [
    text(LEFT, 22, 'milliseconds from when a message is due to its ack', { kind: 'quiet' }),
    line([[LEFT, TOP], [LEFT, HEIGHT - BOTTOM], [WIDTH - RIGHT, HEIGHT - BOTTOM]], 'axis'),
    ...ticks.map(tick => text(LEFT - 8, y(tick) + 4, String(tick), { anchor: 'end', kind: 'quiet' })),
    ...rates.map(rate => (
      text(x(rate), HEIGHT - BOTTOM + 20, figure(rate / 1000), { anchor: 'middle', kind: 'quiet' })
    )),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, 'thousand messages a second', { anchor: 'middle', kind: 'quiet' }),
    ...lines,
    ...apart(labels).map(({ x, y, content }) => text(x, y, content)),
  ])
}

interface Label {
  x: number
  y: number
  content: string
}

/** Moves down what would stand on another, so that each can be read. */
function apart (labels: readonly Label[]): Label[] {
  const placed: Label[] = []
  for (const label of labels.toSorted((a, b) => a.y - b.y)) {
    const above = placed[placed.length - 1]
    placed.push({ ...label, y: Math.max(label.y, above === undefined ? 0 : above.y + LINE_HEIGHT) })
  }
  return placed
}

function pointText ({ name, messagesPerSecond, p50Ms, p99Ms }: LatencyPoint): string {
  return `${name} at ${Math.round(messagesPerSecond)} messages/s: p50 ${figure(p50Ms)} ms, p99 ${figure(p99Ms)} ms`
}
