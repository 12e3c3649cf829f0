import { pathToFileURL } from 'node:url'
import t from 'tap'
import { launchChromium } from '../helpers/chromium.js'
import { npmRun } from './npm-run.js'
import { profileRun } from './profile-run.js'

// That the command works, not how fast anything is.

/** Speedscope insists on a file to load. */
const NOTHING = 'file:///dev/null'

t.test('the flame graph of a profile opens from disk in a browser, without anything beside it', async t => {
  const path = await profileRun(t, 'pair', 'lib/session/message-pipeline.ts', 'accept')
  const browser = await launchChromium()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', error => problems.push(error.message))
  page.on('dialog', dialog => {
    problems.push(dialog.message())
    dialog.dismiss().catch(() => {})
  })
  const requested: string[] = []
  page.on('request', request => { if (!/^(data|blob):/.test(request.url())) requested.push(request.url()) })
  const url = pathToFileURL(path).href
  await page.goto(url)
  // Speedscope draws on a canvas, and says in the title what it shows.
  await page.waitForFunction('document.title === "pair.cpuprofile - speedscope"')
  await page.locator('canvas').first().waitFor()
  // This view of it is text.
  await page.getByText('Sandwich').click()
  await page.getByText('accept', { exact: true }).first().waitFor()
  t.same(problems, [])
  t.same(requested.filter(address => address !== url && address !== NOTHING), [])
})

t.test('a shape that is not there is refused, and so is no time', async t => {
  const wrongShape = await npmRun('bench:profile', '--shape', 'square')
  t.match(wrongShape, { exitCode: 2, stderr: /there is no shape "square"\n.*pair\|checked\|group\|connect/ })
  const noTime = await npmRun('bench:profile', '--seconds', '0')
  t.match(noTime, { exitCode: 2, stderr: '--seconds must be a number above 0' })
})
