import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import t from 'tap'
import { anchors, documents, readDocument, root, withoutCode } from '../helpers/markdown.js'

/** The targets of links that stay in this repository. */
function relativeLinks (markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)]
    .map(([, target]) => target)
    .filter(target => !/^[a-z]+:/i.test(target))
}

for (const document of documents()) {
  t.test(`every link in ${document} leads somewhere`, async t => {
    for (const target of relativeLinks(readDocument(document))) {
      const [path, anchor] = target.split('#')
      const file = path === '' ? document : posix.join(posix.dirname(document), path)
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
