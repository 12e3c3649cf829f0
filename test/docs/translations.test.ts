import { posix } from 'node:path'
import t from 'tap'
import { typographyProblems } from '../helpers/chinese-typography.js'
import { documents, readDocument } from '../helpers/markdown.js'
import { differences, originalOf, translationOf } from '../helpers/translation.js'

const pages = new Map(documents().map(path => [path, readDocument(path)]))
const translations = [...pages.keys()].filter(path => originalOf(path) !== path)

/** What operators need, beside their guides: the guides send them there. */
const forOperators = ['README.md', 'docs/configuration.md', 'docs/operations.md']

t.test('the README and every page for operators are there in Chinese', async t => {
  const guides = [...pages.keys()].filter(path => path.startsWith('docs/ops/'))
  t.ok(guides.length >= 2)
  const originals = [...forOperators, ...guides]
  for (const path of originals) t.ok(pages.has(translationOf(path)), `${path} has ${translationOf(path)}`)
})

t.test('every Chinese page has its English one', async t => {
  for (const path of translations) t.ok(pages.has(originalOf(path)), `${path} has ${originalOf(path)}`)
})

for (const path of translations.filter(path => pages.has(originalOf(path)))) {
  t.test(`${path} says what ${originalOf(path)} says`, async t => {
    t.same(differences(pages, originalOf(path)), [])
  })

  t.test(`${path} and ${originalOf(path)} link to each other below their titles`, async t => {
    const line = (page: string): string | undefined => pages.get(page)?.split('\n')[2]
    const link = (from: string, to: string): string => posix.relative(posix.dirname(from), to)
    t.equal(line(originalOf(path)), `English | [简体中文](${link(originalOf(path), path)})`)
    t.equal(line(path), `[English](${link(path, originalOf(path))}) | 简体中文`)
  })

  t.test(`${path} is set as Chinese text is`, async t => {
    t.same(typographyProblems(pages.get(path) ?? ''), [])
  })
}

const english = `# Title

[One](other.md#second), [two](#part), [three](plain.md#there) and \`a
code\` in 150 ms.

## Part

1. First.
2. Second.

| name | is |
|---|---|
| \`x\` | one, \`3\` or 4 |
| \`y\` | two, \`5\` or 6 |

\`\`\`sh
# not a heading
run --now
\`\`\`
`

const chinese = `# 标题

\`a code\` 在 150 ms 内：[二](#部分)、[一](other.md#第二)、[三](../plain.md#there)。

## 部分

1. 一。
2. 二。

| 名称 | 含义 |
|---|---|
| \`x\` | 一，\`3\` 或 4 |
| \`y\` | 二，\`5\` 或 6 |

\`\`\`sh
# not a heading
run --now
\`\`\`
`

/** The differences of `chinese`, with one text in it replaced by another. */
function differencesWith (text: string, replacement: string): string[] {
  if (!chinese.includes(text)) throw new Error(`the page does not have ${text}`)
  return differences(new Map([
    ['docs/page.md', english],
    ['docs/zh/page.md', chinese.replace(text, replacement)],
    ['docs/other.md', '# First\n\n## Second\n'],
    ['docs/zh/other.md', '# 第一\n\n## 第二\n'],
    ['docs/plain.md', '# There\n'],
  ]), 'docs/page.md')
}

t.test('words and their order, line breaks and anchors may differ', async t => {
  t.same(differencesWith('标题', '名称'), [])
})

const faults: Array<[string, string, string, string[]]> = [
  ['a heading that is missing', '## 部分', '部分',
    ['docs/zh/page.md: its end is where docs/page.md has "## Part"']],
  ['a heading of another level', '## 部分', '### 部分',
    ['docs/zh/page.md: "### 部分" is where docs/page.md has "## Part"']],
  ['a command that differs', 'run --now', 'run --later',
    ['line 3 of code block 1 is "run --later" instead of "run --now"']],
  ['a comment in code that is translated', '# not a heading', '# 不是标题',
    ['line 2 of code block 1 is "# 不是标题" instead of "# not a heading"']],
  ['code of another language', '```sh', '```bash',
    ['line 1 of code block 1 is "```bash" instead of "```sh"']],
  ['a line of code that is missing', 'run --now\n', '',
    ['line 3 of code block 1 is "```" instead of "run --now"']],
  ['a code block that is missing', '```sh\n# not a heading\nrun --now\n```', '',
    ['code blocks: 0 instead of 1']],
  ['a variable that is mistyped', '`a code`', '`a cede`',
    ['code `a code` is missing', 'code `a cede` is not in the original']],
  ['a number that differs', '150', '100',
    ['number 150 is missing', 'number 100 is not in the original']],
  ['a list item that is missing', '2. 二。\n', '',
    ['list items: 1 instead of 2']],
  ['a table row that is missing', '| `y` | 二，`5` 或 6 |\n', '',
    ['table rows: 2 instead of 3', 'code `y` is missing', 'code `5` is missing', 'number 6 is missing']],
  ['a row that has the name of another', '| `x` | 一，`3` 或 4 |\n| `y` |', '| `y` | 一，`3` 或 4 |\n| `x` |', [
    'cell 1 of table row 2: code `x` is missing', 'cell 1 of table row 2: code `y` is not in the original',
    'cell 1 of table row 3: code `y` is missing', 'cell 1 of table row 3: code `x` is not in the original',
  ]],
  ['a row that has the values of another', '一，`3` 或 4 |\n| `y` | 二，`5` 或 6', '一，`5` 或 6 |\n| `y` | 二，`3` 或 4', [
    'cell 2 of table row 2: code `3` is missing', 'cell 2 of table row 2: code `5` is not in the original',
    'cell 2 of table row 2: number 4 is missing', 'cell 2 of table row 2: number 6 is not in the original',
    'cell 2 of table row 3: code `5` is missing', 'cell 2 of table row 3: code `3` is not in the original',
    'cell 2 of table row 3: number 6 is missing', 'cell 2 of table row 3: number 4 is not in the original',
  ]],
  ['a link that is missing', '[二](#部分)', '二',
    ['link to docs/page.md#part is missing']],
  ['a link to another heading', '(#部分)', '(#标题)',
    ['link to docs/page.md#part is missing', 'link to docs/page.md#title is not in the original']],
  ['a link to an English page that there is in Chinese', '(other.md#第二)', '(../other.md#second)',
    ['it links to docs/other.md, and there is docs/zh/other.md']],
]

for (const [name, text, replacement, expected] of faults) {
  t.test(`${name} is a difference, with its page and heading`, async t => {
    const found = differencesWith(text, replacement)
    t.same(found.map(line => line.replace(/^docs\/zh\/page\.md, "#+ .+" \(docs\/page\.md, "#+ .+"\): /, '')), expected)
  })
}

t.test('what a Chinese reader stumbles over is found, and nothing else', async t => {
  const good = ['# 标题', '用 `mics` 连接 [Redis](x.md)，最多 5%。**注意**：见[配置](y.md)、`x`（默认）。', '- 一\n- 二\n  1. 三', '| 一 | `x`（二） |\n|---|---|']
  t.same(typographyProblems(good.join('\n\n')), [])
  for (const bad of ['用Redis', '`x`的值', '参见[Redis](x.md)', '一,二', '一 ，二', '| 一， 二 |', '**注意：**一', '一\n二', '- 一\n  2 个']) {
    t.equal(typographyProblems(bad).length, 1, bad)
  }
})
