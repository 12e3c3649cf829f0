import { anchors, codeIn, isRelative, linksIn, resolveLink, tableRows } from './markdown.js'

/** Texts of documents, by their paths from the root. */
export type Pages = ReadonlyMap<string, string>

interface Section {
  level: number
  heading: string
  /** The heading's line and what follows it, without fenced code. */
  text: string
  /** Fenced code, fences included. */
  blocks: string[]
}

/** Where the Chinese page of an English one is, or would be. */
export function translationOf (path: string): string {
  return path === 'README.md' ? 'README.zh-CN.md' : path.replace(/^docs\/(?!zh\/)/, 'docs/zh/')
}

/** The English page of a Chinese one. An English path stays as it is. */
export function originalOf (path: string): string {
  return path === 'README.zh-CN.md' ? 'README.md' : path.replace(/^docs\/zh\//, 'docs/')
}

/**
 * Where a Chinese page says something else than the English one, as far as that shows without knowing the languages:
 * headings, code, tables, lists, numbers and links, section by section. Each difference is a line that names the page
 * and its heading. Where headings differ in number or level nothing else is compared.
 */
export function differences (pages: Pages, english: string): string[] {
  const chinese = translationOf(english)
  const originals = sections(textOf(pages, english))
  const translated = sections(textOf(pages, chinese))
  for (let i = 0; i < Math.max(originals.length, translated.length); i++) {
    if (originals[i]?.level !== translated[i]?.level) {
      return [`${chinese}: ${nameOf(translated[i])} is where ${english} has ${nameOf(originals[i])}`]
    }
  }
  return originals.flatMap((original, i) => {
    const translation = translated[i]
    return [
      ...blockDifferences(original.blocks, translation.blocks),
      ...tableDifferences(tableRows(original.text), tableRows(translation.text)),
      ...countDifference('list items', listItems(original.text), listItems(translation.text)),
      ...itemDifferences('code', codeSpans(original.text), codeSpans(translation.text)),
      ...itemDifferences('number', numbers(original.text), numbers(translation.text)),
      ...itemDifferences('link to', links(pages, english, original.text), links(pages, chinese, translation.text)),
      ...englishTargets(pages, chinese, translation.text),
    ].map(difference => `${chinese}, ${nameOf(translation)} (${english}, ${nameOf(original)}): ${difference}`)
  })
}

function textOf (pages: Pages, path: string): string {
  const text = pages.get(path)
  if (text === undefined) throw new Error(`there is no ${path}`)
  return text
}

function sections (markdown: string): Section[] {
  const found: Section[] = [{ level: 0, heading: '', text: '', blocks: [] }]
  let fence: string | undefined
  for (const line of markdown.split('\n')) {
    const [, heading] = /^(#{1,6}) /.exec(line) ?? []
    const [, opening] = /^ *(`{3,})/.exec(line) ?? []
    if (fence === undefined && heading !== undefined) {
      found.push({ level: heading.length, heading: line, text: '', blocks: [] })
    }
    const { blocks } = found[found.length - 1]
    if (fence !== undefined) {
      blocks.push(`${blocks.pop()}\n${line}`)
      if (line.trim() === fence) fence = undefined
    } else if (opening !== undefined) {
      fence = opening
      blocks.push(line)
    } else {
      found[found.length - 1].text += `${line}\n`
    }
  }
  return found
}

function nameOf (section: Section | undefined): string {
  if (section === undefined) return 'its end'
  return section.level === 0 ? 'its beginning' : `"${section.heading}"`
}

function blockDifferences (originals: string[], translations: string[]): string[] {
  const counted = countDifference('code blocks', originals.length, translations.length)
  if (counted.length > 0) return counted
  return originals.flatMap((original, i) => {
    if (original === translations[i]) return []
    const lines = original.split('\n')
    const others = translations[i].split('\n')
    const first = lines.findIndex((line, at) => line !== others[at])
    const at = first === -1 ? lines.length : first
    return [`line ${at + 1} of code block ${i + 1} is ${shown(others[at])} instead of ${shown(lines[at])}`]
  })
}

function shown (line: string | undefined): string {
  return line === undefined ? 'missing' : JSON.stringify(line)
}

function tableDifferences (originals: string[][], translations: string[][]): string[] {
  const counted = countDifference('table rows', originals.length, translations.length)
  if (counted.length > 0) return counted
  return originals.flatMap((original, i) => [
    ...countDifference(`cells of table row ${i + 1}`, original.length, translations[i].length),
    ...original.flatMap((cell, at) => {
      const where = `cell ${at + 1} of table row ${i + 1}`
      const translated = translations[i][at] ?? ''
      return [
        ...itemDifferences(`${where}: code`, codeSpans(cell), codeSpans(translated)),
        ...itemDifferences(`${where}: number`, numbers(cell), numbers(translated)),
      ]
    }),
  ])
}

function countDifference (what: string, original: number, translation: number): string[] {
  return original === translation ? [] : [`${what}: ${translation} instead of ${original}`]
}

function itemDifferences (what: string, originals: string[], translations: string[]): string[] {
  return [
    ...without(originals, translations).map(item => `${what} ${item} is missing`),
    ...without(translations, originals).map(item => `${what} ${item} is not in the original`),
  ]
}

/** The items that `others` lacks; one that comes twice is two items. */
function without (items: string[], others: string[]): string[] {
  const left = [...others]
  return items.filter(item => {
    const at = left.indexOf(item)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

function listItems (markdown: string): number {
  return [...markdown.matchAll(/^ *(?:[-*]|\d+\.) /gm)].length
}

function codeSpans (markdown: string): string[] {
  return codeIn(markdown).map(code => `\`${code.replace(/\s+/g, ' ')}\``)
}

function numbers (markdown: string): string[] {
  const prose = markdown.replace(/`[^`]+`/g, '').replace(/\]\([^)]*\)/g, ']').replace(/^ *\d+\. /gm, '')
  return prose.match(/\d+(?:[.,]\d+)*/g) ?? []
}

/** Where links lead, as a link on an English page would say it, from the root. */
function links (pages: Pages, page: string, markdown: string): string[] {
  return linksIn(markdown).map(target => {
    if (!isRelative(target)) return target
    const { path, anchor } = resolveLink(page, target)
    const original = originalOf(path)
    if (anchor === undefined) return original
    const place = [...anchors(pages.get(path) ?? '')].indexOf(anchor)
    return `${original}#${[...anchors(pages.get(original) ?? '')][place] ?? anchor}`
  })
}

/** Links to English pages in a Chinese one, where there is a Chinese page; but for the one to its own original. */
function englishTargets (pages: Pages, chinese: string, markdown: string): string[] {
  return linksIn(markdown).filter(isRelative)
    .map(target => resolveLink(chinese, target).path)
    .filter(path => path !== originalOf(chinese) && translationOf(path) !== path && pages.has(translationOf(path)))
    .map(path => `it links to ${path}, and there is ${translationOf(path)}`)
}
