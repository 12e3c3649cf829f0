import t from 'tap'
import { acceptancePage, followedChapters } from '../helpers/acceptance.js'
import { readDocument } from '../helpers/markdown.js'
import { missingLine, stepsOf } from '../helpers/playbook.js'

t.test('every chapter of the acceptance playbook is followed by a test', async t => {
  const steps = stepsOf(readDocument(acceptancePage))
  t.strictSame(new Set(steps.map(({ chapter }) => chapter)), new Set(followedChapters))
})

t.test('every section of it says what comes of its commands', async t => {
  const steps = stepsOf(readDocument(acceptancePage)).filter(({ chapter }) => chapter !== 'Start')
  for (const { heading, expected } of steps) t.ok(expected.length > 0, heading)
})

t.test('blocks are read in order, each with what follows it', async t => {
  const page = '# Page\n```sh\na\nb\n```\n## One\n### Part\nWhy.\n```sh\nc\n```\n```text\nd\n```\n```yaml\nx: 1\n```\n'
  t.match(stepsOf(page), [
    { chapter: '', heading: '', line: 2, commands: 'a\nb', expected: [] },
    { chapter: 'One', heading: 'Part', line: 9, commands: 'c', expected: ['d'] },
  ])
})

t.test('what is expected must be there, whole and in order', async t => {
  const output = 'warning\n{"a":1,"b":2}\nexit code 1 \n'
  t.equal(missingLine(['…"a":1,…', 'exit code 1'], output), undefined)
  t.equal(missingLine(['exit code 1', '…"a":1,…'], output), '…"a":1,…', 'in another order')
  t.equal(missingLine(['exit code'], output), 'exit code', 'a part of a line')
  t.equal(missingLine(['warning', 'warning'], output), 'warning', 'once where it should come twice')
  t.equal(missingLine(['w.rning'], output), 'w.rning', 'no pattern but the wildcard')
})
