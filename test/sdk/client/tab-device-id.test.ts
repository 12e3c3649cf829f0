import Fastify from 'fastify'
import t from 'tap'
import { launchChromium } from '../../helpers/chromium.js'
import { readDocument } from '../../helpers/markdown.js'

const [, code] = /```js\n\/\/ device-id\.js\n([\s\S]*?)```/.exec(readDocument('docs/guides/client.md')) as string[]

t.test('with the code of the guide a tab keeps its device id, and the copy of a tab takes another', async t => {
  const site = Fastify()
  site.get('/device-id.js', async (_, reply) => reply.type('text/javascript').send(code))
  site.get('/', async (_, reply) => reply.type('text/html').send(`<!doctype html><link rel="icon" href="data:,"><output></output>
    <script type="module">
      import { deviceIdOfTab } from '/device-id.js'
      document.querySelector('output').textContent = await deviceIdOfTab()
    </script>`))
  const address = (await site.listen({ host: '127.0.0.1', port: 0 }))
  const browser = await launchChromium()
  t.teardown(async () => {
    await browser.close()
    await site.close()
  })
  const page = await browser.newPage()
  const idOf = async (tab: typeof page): Promise<string | null> => await tab.locator('output').filter({ hasText: /./ }).textContent()
  await page.goto(address)
  const id = await idOf(page)
  t.match(id, /^[0-9a-f-]{36}$/)
  // Such a tab begins with a copy of this one's sessionStorage, as a duplicate does.
  const opened = page.waitForEvent('popup')
  await page.evaluate("window.open('/')")
  const copy = await opened
  const idOfCopy = await idOf(copy)
  t.match(idOfCopy, /^[0-9a-f-]{36}$/)
  t.not(idOfCopy, id)
  await copy.reload()
  t.equal(await idOf(copy), idOfCopy)
  await page.reload()
  t.equal(await idOf(page), id)
})
