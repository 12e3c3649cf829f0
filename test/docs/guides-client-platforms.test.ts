import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { launchChromium } from '../helpers/chromium.js'
import { clientGuide, clientGuidePage, clientGuideParts } from '../helpers/client-guide.js'
import { Guide } from '../helpers/guide.js'
import { until } from '../helpers/until.js'
import { WechatPhone } from '../sdk/client/wechat-phone.js'

const browser = await launchChromium()
t.teardown(async () => await browser.close())

/** Talks to the bot of the guide, on a page with a list and a form. */
async function chatOn (t: Test, url: string): Promise<void> {
  const page = await browser.newPage()
  t.teardown(async () => await page.close())
  const problems: string[] = []
  page.on('pageerror', error => problems.push(error.message))
  await until('it is served', async () => (await fetch(url).catch(() => undefined))?.ok === true)
  await page.goto(url)
  await page.locator('input').fill('hello <b>')
  await page.getByRole('button', { name: 'Send' }).click()
  await page.getByText('echo: you said hello <b>').waitFor({ timeout: 60_000 }).catch(() => {})
  t.match(await page.locator('ul').textContent(), /echo: you said hello <b>/, 'the bot answers', { problems })
}

t.test('the chapters on pages, React and mini programs run as pasted, and somebody chats there', async t => {
  await Guide.follow(t, clientGuidePage, {
    ...clientGuide,
    chapters: clientGuideParts.platforms,
    linked: ['react', 'react-dom', 'vite'],
    after: {
      'A page without a bundler': async (t, guide) => {
        await chatOn(t, guide.here('http://localhost:5174/plain.html'))
        await t.test('a tab that is duplicated has a device of its own, and one that is reloaded keeps it', async t => {
          const page = await browser.newPage()
          t.teardown(async () => await page.context().close())
          const idOf = async (of: typeof page): Promise<string> => {
            await of.waitForFunction("document.title === 'connected'", undefined, { timeout: 60_000 })
            return await of.evaluate("sessionStorage.getItem('deviceId')")
          }
          await page.goto(guide.here('http://localhost:5174/plain.html'))
          const first = await idOf(page)
          await page.reload()
          t.equal(await idOf(page), first)
          const [copy] = await Promise.all([page.waitForEvent('popup'), page.evaluate('void window.open(location.href)')])
          t.not(await idOf(copy), first)
          t.equal(await page.title(), 'connected')
        })
      },
      React: async (t, guide) => await chatOn(t, guide.here('http://localhost:5173/')),
      'WeChat mini programs': async (t, guide) => {
        const phone = new WechatPhone(t)
        const storage = new Map<string, string>()
        Object.assign(phone.wx, {
          getStorageSync: (key: string) => storage.get(key) ?? '',
          setStorageSync: (key: string, value: string) => storage.set(key, value),
          showToast: ({ title }: { title: string }) => t.fail(title),
        })
        type Page = Record<string, (...args: unknown[]) => unknown> & { data: { state: string, messages: unknown[] } }
        const load = phone.run('(function (require, Page) {' +
          `${readFileSync(join(guide.project, 'pages/chat/chat.js'), 'utf8')}\n})`) as (...args: unknown[]) => void
        const pages: Page[] = []
        load((name: string) => phone.require(name), (made: Page) => pages.push(made))
        const [page] = pages
        page.setData = data => Object.assign(page.data, data)
        page.onLoad()
        await until('it is connected', () => page.data.state === 'connected')
        await page.send({ detail: { value: '你好' } })
        await until('the bot answers', () => page.data.messages.length > 0)
        t.match(page.data.messages, [{ userId: 'echo', text: 'you said 你好' }])
        t.ok(storage.get('deviceId'))
        page.onUnload()
        // The client is the app's, which does not end before the phone is switched off.
        phone.holdsTimer = () => true
      },
    },
  })
})
