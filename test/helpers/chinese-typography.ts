import { withoutCode } from './markdown.js'

const FULL_WIDTH = '，。；：、？！（）《》“”'

/** What to look for in a line as it is read, without the marks of links and bold text. */
const inText: Array<[RegExp, string]> = [
  [/\p{sc=Han}[\w`]|[\w`%]\p{sc=Han}/u, 'a space between Chinese and Latin letters, digits or code is missing'],
  [/\p{sc=Han}[.,;:?!()]|[,;:?!()]\p{sc=Han}/u, 'half-width punctuation in Chinese text'],
  // The space at the edge of a table's cell is not one that readers see.
  [new RegExp(`[${FULL_WIDTH}] (?!\\|)|(?<!\\|) [${FULL_WIDTH}]`), 'a space beside full-width punctuation'],
]

/** What to look for in a line as it is written. */
const inSource: Array<[RegExp, string]> = [
  [new RegExp(`\\*\\*[^*]*[${FULL_WIDTH}]\\*\\*[^\\s${FULL_WIDTH}]`), 'bold text that ends in punctuation is not bold on GitHub'],
]

/** What a Chinese reader would stumble over in a page's text: each as a line that quotes it. */
export function typographyProblems (markdown: string): string[] {
  const lines = withoutCode(markdown).split('\n')
  return lines.flatMap((line, i) => {
    const text = line.replace(/`[^`]+`/g, '`x`').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('**', '')
    const problems = [
      ...inText.filter(([pattern]) => pattern.test(text)),
      ...inSource.filter(([pattern]) => pattern.test(line)),
    ].map(([, problem]) => problem)
    if (isProse(line) && isProse(lines[i + 1] ?? '') && !/^ *(?:[-*]|\d+\.) /.test(lines[i + 1])) {
      problems.push('a paragraph goes on in the next line, which readers see as a space')
    }
    return problems.map(problem => `${problem}: ${line}`)
  })
}

function isProse (line: string): boolean {
  return line.trim() !== '' && !/^[|#]/.test(line)
}
