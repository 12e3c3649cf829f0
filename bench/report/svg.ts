/** Legible on a light page and on a dark one: the page decides, not the picture. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .quiet { fill: #57606a }
  .axis { stroke: #8c959f; fill: none }
  .a { fill: #0969da } .b { fill: #bc4c00 }
  .line { fill: none; stroke-width: 2 } .line.a { stroke: #0969da } .line.b { stroke: #bc4c00 }
  .dashed { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9da7b1 } .axis { stroke: #6e7681 }
    .a { fill: #58a6ff } .b { fill: #f0883e }
    .line.a { fill: none; stroke: #58a6ff } .line.b { fill: none; stroke: #f0883e }
  }
`

export interface Picture {
  width: number
  height: number
  /** What it shows, and what one sees in it: read out to who cannot see it. */
  title: string
  description: string
}

/** A picture around these elements. */
export function svg ({ width, height, title, description }: Picture, elements: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>${STYLE}</style>`,
    ...elements,
    '</svg>',
    '',
  ].join('\n')
}

export interface TextOptions {
  anchor?: 'start' | 'middle' | 'end'
  kind?: string
}

export function text (x: number, y: number, content: string, { anchor = 'start', kind = '' }: TextOptions = {}): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" class="${kind}">${escaped(content)}</text>`
}

export function rectangle (x: number, y: number, width: number, height: number, kind: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" class="${kind}"/>`
}

export function line (points: ReadonlyArray<readonly [number, number]>, kind: string): string {
  return `<polyline points="${points.map(point => point.map(round).join(',')).join(' ')}" class="${kind}"/>`
}

function round (value: number): number {
  return Math.round(value * 10) / 10
}

function escaped (content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
