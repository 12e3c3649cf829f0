import { readFileSync } from 'node:fs'
import t from 'tap'
import { anchors, isRelative, linksIn, readDocument, resolveLink, withoutCode } from '../../helpers/markdown.js'

const path = 'sdk/client/README.md'
const readme = readDocument(path)

function source (name: string): string {
  return readFileSync(new URL(`../../../sdk/client/src/${name}.ts`, import.meta.url), 'utf8')
}

t.test('the README names every option, event, state and error code', async t => {
  const options = /interface MicsClientOptions \{([\s\S]*?)\n\}/.exec(source('options'))?.[1] ?? ''
  const events = /interface ClientEvents \{([\s\S]*?)\n\}/.exec(source('events'))?.[1] ?? ''
  const names = [
    ...[...options.matchAll(/^ {2}(\w+)\??:/gm)].map(([, name]) => name),
    ...[...events.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name),
    ...[...source('events').matchAll(/name: '(\w+)'/g)].map(([, name]) => name),
    ...[...source('errors').matchAll(/\| '(MICS_\w+)'/g)].map(([, name]) => name),
  ]
  t.ok(names.length > 35, 'the sources are read')
  t.strictSame(names.filter(name => !readme.includes(`\`${name}\``)), [])
})

t.test('its links lead somewhere', async t => {
  for (const target of linksIn(withoutCode(readme)).filter(isRelative)) {
    const { path: file, anchor } = resolveLink(path, target)
    const document = readDocument(file)
    t.ok(anchor === undefined || anchors(document).has(anchor), target)
  }
})
