import { existsSync } from 'node:fs'
import t from 'tap'
import { anchors, documents, isRelative, linksIn, readDocument, resolveLink, root, withoutCode } from '../helpers/markdown.js'

t.test('a heading has the anchor that GitHub gives it', async t => {
  const headings = ['## What `npm test` runs, and *why*', '## TLS 与代理', '## 消息没有送达？先看（日志）：', '## 检查', '### 检查',
    '## I ♥ docs', '## [配置](configuration.md)、snake_case', '```sh\n# a comment\n```']
  t.same([...anchors(headings.join('\n\n'))], ['what-npm-test-runs-and-why', 'tls-与代理', '消息没有送达先看日志', '检查', '检查-1',
    'i--docs', '配置snake_case'])
})

for (const document of documents()) {
  t.test(`every link in ${document} leads somewhere`, async t => {
    for (const target of linksIn(withoutCode(readDocument(document))).filter(isRelative)) {
      const { path: file, anchor } = resolveLink(document, target)
      if (!existsSync(`${root}${file}`)) {
        t.fail(`${target}: there is no ${file}`)
      } else if (anchor !== undefined) {
        t.ok(anchors(readDocument(file)).has(anchor), `${target}: the heading exists`)
      } else {
        t.pass(`${target}: the file exists`)
      }
    }
  })

  t.test(`every npm script that ${document} names exists`, async t => {
    const { scripts } = JSON.parse(readDocument('package.json'))
    const text = readDocument(document)
    const named = [
      ...[...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name),
      ...[...text.matchAll(/npm (start|test)\b/g)].map(([, name]) => name),
    ]
    for (const name of new Set(named)) t.ok(Object.hasOwn(scripts, name), `npm run ${name}`)
  })
}
