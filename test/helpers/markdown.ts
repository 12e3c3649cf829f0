import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** The documents that readers find: paths from the root. */
export function documents (): string[] {
  const docs = readdirSync(`${root}docs`, { encoding: 'utf8', recursive: true })
    .filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
  const examples = readdirSync(`${root}examples`)
    .map(name => name === 'README.md' ? `examples/${name}` : `examples/${name}/README.md`)
    .filter(path => existsSync(`${root}${path}`))
  return ['README.md', 'README.zh-CN.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'helm/mics/README.md', ...docs, ...examples]
}

export function readDocument (path: string): string {
  return readFileSync(`${root}${path}`, 'utf8')
}

/** The text without its fenced code blocks. */
export function withoutCode (markdown: string): string {
  return markdown.replace(/^(```+).*\n[\s\S]*?^\1 *$/gm, '')
}

/** What follows a heading, up to the next one of its level or above. */
export function section (markdown: string, heading: string): string {
  const lines = markdown.split('\n')
  const start = lines.findIndex(line => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading)
  if (start === -1) throw new Error(`no heading ${heading}`)
  const level = lines[start].indexOf(' ')
  const length = lines.slice(start + 1).findIndex(line => /^#+ /.test(line) && line.indexOf(' ') <= level)
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** The rows of the tables in a text, heads included, each as its cells. */
export function tableRows (markdown: string): string[][] {
  return markdown.split('\n')
    .filter(line => line.startsWith('|') && !/^[|\s-]+$/.test(line))
    .map(line => line.split('|').slice(1, -1).map(cell => cell.trim()))
}

/** Every `code` in a text. */
export function codeIn (markdown: string): string[] {
  return [...markdown.matchAll(/`([^`]+)`/g)].map(([, code]) => code)
}

/** The targets of the links in a text. */
export function linksIn (markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].map(([, target]) => target)
}

/** Whether a link stays in this repository. */
export function isRelative (target: string): boolean {
  return !/^[a-z]+:/i.test(target)
}

/** The path from the root, and the anchor, to which a relative link in `document` leads. */
export function resolveLink (document: string, target: string): { path: string, anchor?: string } {
  const [path, anchor] = target.split('#')
  return { path: path === '' ? document : posix.join(posix.dirname(document), path), anchor }
}

/** The anchors of a document: its own, and those of its headings as GitHub makes them, which keeps all scripts. */
export function anchors (markdown: string): Set<string> {
  const found = new Set<string>()
  for (const [, heading] of withoutCode(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '')
    const slug = text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '').replaceAll(' ', '-')
    let anchor = slug
    for (let n = 1; found.has(anchor); n++) anchor = `${slug}-${n}`
    found.add(anchor)
  }
  const own = [...withoutCode(markdown).matchAll(/<a id="([^"]+)"><\/a>/g)].map(([, id]) => id)
  return new Set([...found, ...own])
}
