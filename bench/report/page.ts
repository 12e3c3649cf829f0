import { isReached, ratio, remarks } from './judgement.js'
import { latencyPlot } from './latency-plot.js'
import { cpu, middle, spread, targetText } from './numbers.js'
import type { Report, Result } from './result.js'
import { machineLine } from './text.js'
import { throughputPlot } from './throughput-plot.js'

const BEGIN = '<!-- bench: begin. Written by `npm run bench -- --write`: do not edit -->'
const END = '<!-- bench: end -->'

/** The part of the page that is made from a report, and the pictures it shows, by path beside the page. */
export interface Section {
  markdown: string
  pictures: Map<string, string>
}

export function sectionOf (report: Report): Section {
  const pictures = new Map<string, string>()
  const shown: string[] = []
  const show = (path: string, alternative: string, picture: string | undefined): void => {
    if (picture === undefined) return
    pictures.set(path, picture)
    shown.push(`![${alternative}](${path})`, '')
  }
  show('performance/throughput.svg', 'Throughput beside Socket.IO', throughputPlot(report))
  show('performance/latency.svg', 'Time to the ack by load', latencyPlot(report))
  const notes = [...new Set(report.results.flatMap(result => remarks(result).map(remark => `- ${result.name}: ${remark}.`)))]
  const skipped = report.skipped.map(({ shape, reason }) => `- Not measured, ${shape}: ${reason}.`)
  return {
    markdown: [
      `${machineLine(report)}.`,
      '',
      '| load | unit | measured | beside | ratio (spread) | CPU µs each | target |',
      '|---|---|---|---|---|---|---|',
      ...report.results.map(row),
      '',
      ...shown,
      ...notes,
      ...skipped,
    ].join('\n').trimEnd(),
    pictures,
  }
}

/** The page with this section between its markers. Throws where it has none. */
export function withSection (page: string, { markdown }: Section): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`the page has no place for the results: put "${BEGIN}" and "${END}" into it`)
  return `${page.slice(0, begin + BEGIN.length)}\n\n${markdown}\n\n${page.slice(end)}`
}

function row (result: Result): string {
  const { name, unit, subject, base, target } = result
  const reached = isReached(result)
  const cells = [
    name,
    unit,
    `${subject.name} ${middle(subject)}`,
    base === undefined ? '' : `${base.name} ${middle(base)}`,
    base === undefined ? '' : spread(ratio(result)),
    subject.cpuUs === undefined ? '' : base === undefined ? cpu(subject) : `${cpu(subject)}, ${cpu(base)}`,
    reached === undefined ? '' : `${targetText(target)}: ${reached ? 'reached' : '**missed**'}`,
  ]
  return `| ${cells.join(' | ')} |`
}
