import { existsSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { helm, objectOf, render, someValues } from '../helpers/helm.js'
import { readDocument, root } from '../helpers/markdown.js'

const guide = readDocument('docs/ops/install.md')

function blocks (language: string): string[] {
  return [...guide.matchAll(/^```(\w+)\n(.*?)^```/gms)].filter(([, name]) => name === language).map(([, , text]) => text)
}

const commands = blocks('sh').join('').replace(/\\\n */g, '').split('\n').filter(line => line !== '')

t.test('every example of values in the guide is taken by the chart', async t => {
  const examples = blocks('yaml')
  t.ok(examples.length >= 3)
  for (const example of examples) {
    t.doesNotThrow(() => render({ values: { ...someValues, ...parse(example) } }), example)
  }
})

t.test('the file of secrets goes with staging.yaml, and leaves no placeholder of it', async t => {
  const secrets = blocks('yaml').find(text => text.startsWith('secrets:'))
  const objects = render({ examples: ['staging'], values: parse(secrets ?? '') })
  const decoded = objects.filter(({ kind }) => kind === 'Secret')
    .flatMap(({ data = {} }) => Object.values(data)).map(value => Buffer.from(value, 'base64').toString())
  t.equal(decoded.length, 3)
  t.notMatch(decoded.join('\n'), 'replaced-by-secrets-yaml')
})

t.test('every helm command in it is one, with options that Helm knows', async t => {
  const helmCommands = commands.filter(line => line.startsWith('helm '))
  t.ok(helmCommands.length >= 6)
  for (const command of new Set(helmCommands)) {
    const [, ...words] = command.split(' ')
    const { status, stdout } = helm([words[0], '--help'])
    t.equal(status, 0, command)
    for (const option of words.filter(word => word.startsWith('--'))) {
      t.ok(stdout.includes(option.split('=')[0]), `${words[0]} ${option}`)
    }
  }
})

t.test('the files that its commands name exist, or are said to be written by the reader', async t => {
  const written = new Set(['staging.yaml', 'secrets.yaml', 'production.yaml'])
  const files = commands.flatMap(line => [...line.matchAll(/--values (\S+)/g)].map(([, file]) => file))
  t.ok(files.length > 0)
  for (const file of files) t.ok(written.has(file) || existsSync(`${root}${file}`), file)
})

t.test('the Secrets that it makes are those that production.yaml uses', async t => {
  const made = new Set(commands.flatMap(line => [...line.matchAll(/create secret generic (\S+)/g)].map(([, name]) => name)))
  const { volumes, containers: [{ envFrom }] } = objectOf(render({ examples: ['production'] }), 'Deployment').spec.template.spec
  const used = [
    ...volumes.flatMap(({ secret }: any) => secret === undefined ? [] : [secret.secretName]),
    ...envFrom.flatMap(({ secretRef }: any) => secretRef === undefined ? [] : [secretRef.name]),
  ]
  t.strictSame([...made].sort(), used.sort())
})
