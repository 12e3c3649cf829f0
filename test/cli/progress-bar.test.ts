import t from 'tap'
import { ProgressBar } from '../../cli/progress-bar.js'

function terminal (isTTY: boolean) {
  const texts: string[] = []
  return { isTTY, texts, write: (text: string) => texts.push(text) }
}

t.test('a bar grows on one line of a terminal', async t => {
  const stream = terminal(true)
  const bar = new ProgressBar(stream, 200)
  bar.update(0)
  bar.update(50)
  bar.update(200)
  bar.end()
  bar.end()
  t.strictSame(stream.texts, [
    '\r[..............................] 0%  0 of 200',
    '\r[#######.......................] 25%  50 of 200',
    '\r[##############################] 100%  200 of 200',
    '\n',
  ])
})

t.test('more than there is, and nothing at all, are all of it', async t => {
  const stream = terminal(true)
  new ProgressBar(stream, 2).update(3)
  new ProgressBar(stream, 0).update(0)
  t.ok(stream.texts.every(text => text.includes('] 100%')))
})

t.test('nothing is printed where there is no terminal', async t => {
  const stream = terminal(false)
  const bar = new ProgressBar(stream, 2)
  bar.update(1)
  bar.end()
  t.strictSame(stream.texts, [])
})
