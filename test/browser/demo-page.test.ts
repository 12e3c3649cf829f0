import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import { startServer } from '../../server.js'
import { launchChromium } from '../helpers/chromium.js'
import { exactly, People, Person, screenshots } from './people.js'

/*
 * The demo page in a real browser against the whole gateway in embedded mode. Each test makes up its own people, so
 * that none finds what another left behind.
 */

const server = await startServer({
  config: loadConfig({ PORT: '0', LOG_LEVEL: 'silent' }, { embedded: true }),
  embedded: true,
  handleSignals: false,
})
const browser = await launchChromium()
t.teardown(async () => {
  await browser.close()
  await server.close()
})

const people = new People(browser, server.url)

t.test('two people chat one to one and see their acks', async t => {
  const alice = await people.join('alice', { to: 'bob' })
  const bob = await people.join('bob', { to: 'alice' })
  await alice.write('Hello Bob, <b>is this on?</b> ✓ 你好')
  await alice.ack('Hello Bob', '✓ sent')
  const received = await bob.message('Hello Bob')
  t.equal(await received.locator('.bubble').textContent(), 'Hello Bob, <b>is this on?</b> ✓ 你好', 'as text, not as markup')
  await bob.write('Loud and clear')
  await bob.ack('Loud and clear', '✓ sent')
  await alice.message('Loud and clear')
  t.match(await alice.page.getByTestId('conn-detail').textContent(), /^node \S+ · trace \S+$/)
  t.ok(await alice.page.getByTestId('nodes').isHidden(), 'a single node is nothing to choose from')
  await alice.write('this is forbidden')
  await alice.ack('this is forbidden', 'failed: forbidden word')

  const frames = alice.page.getByTestId('frame-log')
  t.match(await frames.textContent(), /connect_ack.*node_id/s)
  t.match(await frames.textContent(), /msg_type: SINGLE_CHAT.*to_user_id: "bob".*msg_body: "this is forbidden"/s)
  const token = Buffer.from('valid:alice').toString('base64url')
  t.notOk((await alice.page.content()).includes(token), 'the token is nowhere on the page')
  t.notOk((await alice.page.content()).includes('valid:alice'))
  await alice.shows('one-to-one')
  await alice.leave()
  await bob.leave()
})

t.test('a group conversation reaches its members and counts what is unread', async t => {
  const [alice, bob, dave] = await Promise.all(['alice', 'bob', 'dave'].map(name => people.join(name)))
  await alice.open('lobby')
  await bob.open('team')
  await dave.open('lobby')
  await alice.write('hello lobby')
  await dave.message('hello lobby')
  await bob.page.getByTestId('conversation-lobby').locator('.badge').filter({ hasText: exactly('1') }).waitFor()
  await bob.open('lobby')
  const received = await bob.message('hello lobby')
  t.equal(await received.getAttribute('data-from'), 'alice')
  t.ok(await bob.page.getByTestId('conversation-lobby').locator('.badge').isHidden(), 'read now')
  await alice.ack('hello lobby', /^✓ sent · buffered for /) // carol is not here
  await bob.shows('group')
  for (const person of [alice, bob, dave]) await person.leave()
})

t.test('a message sent again under its id is acked as a duplicate and arrives once', async t => {
  const erin = await people.join('erin', { to: 'frank' })
  const frank = await people.join('frank', { to: 'erin' })
  await erin.write('before it')
  await erin.ack('before it', '✓ sent')
  const sent = await erin.write('only once')
  await erin.ack('only once', '✓ sent')
  await erin.page.mouse.move(0, 0)
  t.same(await erin.page.evaluate("[...document.querySelectorAll('.again')].map(link => getComputedStyle(link).opacity)"),
    ['0', '1'], 'the last message shows its link before anybody points at it')
  await erin.shows('send-again')
  await sent.getByRole('button', { name: 'send again' }).click()
  await erin.ack('only once', '✓ sent · duplicate')
  await erin.write('after it')
  await frank.message('after it')
  t.equal(await frank.page.locator('.message').filter({ hasText: 'only once' }).count(), 1)
  await erin.leave()
  await frank.leave()
})

t.test('what is written to somebody who is offline waits and arrives when they come back', async t => {
  const gina = await people.join('gina', { to: 'hugo' })
  const hugo = await people.join('hugo', { to: 'gina' })
  await hugo.page.getByTestId('toggle-online').click()
  await hugo.page.getByTestId('conn-state').filter({ hasText: exactly('offline') }).waitFor()
  await hugo.shows('offline')
  // The gateway hears of the close a moment later; until then a message may still count as handed over.
  await t.resolves(retry(async () => {
    const text = `are you there? ${Math.random()}`
    await gina.write(text)
    await gina.ack(text, '✓ sent · buffered for an offline user')
  }))
  const written = await gina.page.locator('.message .bubble').last().textContent() ?? ''
  await gina.shows('buffered')

  const unsent = await hugo.write('written while offline')
  t.equal(await unsent.locator('.ack').textContent(), 'pending, goes out when connected')
  const outbox = hugo.page.getByTestId('outbox')
  t.equal(await outbox.textContent(), '1 message waits in the outbox and goes out when connected')
  await hugo.open('lobby')
  t.ok(await outbox.isVisible(), 'also in another conversation')
  await hugo.open('gina')
  await hugo.page.getByTestId('toggle-online').click()
  await hugo.isConnected()
  t.ok(await outbox.isHidden())
  await hugo.message(written)
  await hugo.ack('written while offline', '✓ sent')
  await gina.message('written while offline')
  await gina.leave()
  await hugo.leave()
})

t.test('the same person in a second tab sees what the first one writes, and gets what others write', async t => {
  const ivan = await people.join('ivan', { to: 'judy' })
  const judy = await people.join('judy', { to: 'ivan' })
  const [page] = await Promise.all([ivan.page.context().waitForEvent('page'), ivan.page.getByTestId('open-same').click()])
  const second = new Person('ivan', page)
  await second.isConnected()
  t.equal(await page.getByTestId('chat-title').textContent(), 'judy', 'the same conversation is open')
  await ivan.write('from my first tab')
  const synced = await second.message('from my first tab')
  t.equal(await synced.locator('.ack').textContent(), 'from another of your tabs')
  await judy.write('to all of ivan')
  await Promise.all([ivan.message('to all of ivan'), second.message('to all of ivan')])
  t.not(await ivan.page.locator('#my-device').textContent(), await page.locator('#my-device').textContent())
  await ivan.leave()
  await judy.leave()
})

t.test('the link opens a tab as somebody else who can answer', async t => {
  const alice = await people.join('alice')
  const [page] = await Promise.all([
    alice.page.context().waitForEvent('page'), alice.page.getByTestId('open-other').click(),
  ])
  const bob = new Person('bob', page)
  await bob.isConnected()
  t.equal(await page.getByTestId('my-name').textContent(), 'bob')
  t.equal(await page.getByTestId('chat-title').textContent(), 'alice')
  await bob.write('opened from your tab')
  await alice.open('bob')
  await alice.message('opened from your tab')
  await alice.leave()
})

t.test('a connection that is taken over by the same device stays closed', async t => {
  const kim = await people.join('kim')
  const device = await kim.page.evaluate("sessionStorage.getItem('mics.device')")
  const again = await kim.page.context().newPage()
  await again.addInitScript(`sessionStorage.setItem('mics.device', '${device}')`)
  await again.goto(`${server.url}/?user=kim`)
  await new Person('kim', again).isConnected()
  await kim.page.getByTestId('conn-state').filter({ hasText: exactly('closed 4409') }).waitFor()
  t.match(await kim.page.getByTestId('conn-detail').textContent(), /replaced by a newer connection/)
  await kim.leave()
})

t.test('a lost connection is made again, and what had no ack goes out again', async t => {
  const lena = await people.join('lena', { to: 'mia' })
  const mia = await people.join('mia', { to: 'lena' })
  await lena.page.routeWebSocket(/\/ws/, route => { route.close({ code: 1012, reason: 'test' }) })
  // From here on every new connection breaks; the standing one goes by hand.
  await lena.page.getByTestId('toggle-online').click()
  await lena.page.getByTestId('toggle-online').click()
  await lena.page.getByTestId('conn-state').filter({ hasText: exactly('reconnecting') }).waitFor()
  t.match(await lena.page.getByTestId('conn-countdown').textContent(), /^in \d+ s$/)
  const written = ['through the storm', 'and behind it', 'and last']
  for (const text of written) await lena.write(text)
  await lena.page.getByTestId('outbox').filter({ hasText: '3 messages wait in the outbox' }).waitFor()
  await lena.shows('reconnecting')
  await lena.page.unrouteAll()
  await lena.page.routeWebSocket(/\/ws/, route => { route.connectToServer() })
  await lena.isConnected()
  for (const text of written) await lena.ack(text, '✓ sent')
  await mia.message('and last')
  t.same(await mia.page.locator('.message .bubble').allTextContents(), written, 'in order')
  await lena.leave()
  await mia.leave()
})

t.test('on a phone one column fits, and every view is a tap away', async t => {
  const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }
  const alice = await people.join('alice', { ...phone, to: 'bob' })
  await alice.write(`a long word ${'x'.repeat(120)} does not widen the page`)
  await alice.message('a long word')
  for (const view of ['chat', 'list', 'frames']) {
    await alice.page.locator(`.tabs [data-view=${view}]`).tap()
    const overflow = await alice.page.evaluate('document.documentElement.scrollWidth - window.innerWidth')
    t.equal(overflow, 0, `no horizontal overflow in the view ${view}`)
    await alice.shows(`phone-${view}`)
  }
  await alice.page.locator('.tabs [data-view=list]').tap()
  await alice.open('lobby')
  await alice.page.getByTestId('text').waitFor()
  t.equal(await alice.page.locator('#chat-subtitle').textContent(), 'alice, bob, carol and everybody who signed in')
  const cut = await alice.page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth)(document.getElementById('chat-subtitle'))")
  t.equal(cut, 0, 'and none of it is cut off')
  await alice.shows('phone-lobby')
  await alice.page.getByRole('button', { name: 'Back to the conversations' }).tap()
  await alice.page.getByTestId('conversation-team').waitFor()
  await alice.leave()
})

t.test('a person picks a name, and the tab remembers it', async t => {
  const context = await browser.newContext({ colorScheme: 'dark', viewport: { width: 1320, height: 800 } })
  const page = await context.newPage()
  await page.goto(server.url)
  await page.getByTestId('name').waitFor()
  await page.screenshot({ path: join(screenshots, 'sign-in-dark.png') })
  for (const name of ['not a name', 'Zoë Müller']) {
    await page.getByTestId('name').fill(name)
    await page.getByTestId('join').click()
    t.ok(await page.getByTestId('name').isVisible(), `${name} is not taken`)
  }
  const hint = await page.locator('#name-hint').textContent()
  t.match(hint, /^Letters a-z, digits and/)
  t.equal(await page.getByTestId('name').getAttribute('title'), hint, "the browser's own bubble says what fits too")
  await page.screenshot({ path: join(screenshots, 'sign-in-refused-dark.png') })
  await page.getByTestId('name').fill('nora')
  await page.getByTestId('name').press('Enter')
  const nora = new Person('nora', page)
  await nora.isConnected()
  await nora.write('in the dark')
  await nora.ack('in the dark', /^✓ sent/)
  await nora.write('forbidden in the dark')
  await nora.ack('forbidden in the dark', 'failed: forbidden word')
  await nora.shows('dark')
  await page.reload()
  await nora.isConnected()
  t.equal(await page.getByTestId('my-name').textContent(), 'nora')
  t.equal(await page.getByTestId('messages').textContent(),
    'Nothing here since this page was loaded: the gateway keeps no history.')
  await nora.shows('reloaded-dark')
  await nora.leave()
})

t.test('the browser had nothing to complain about', async t => {
  t.same(people.complaints, [])
})

/** Until it succeeds, three times at most. */
async function retry (attempt: () => Promise<void>): Promise<void> {
  for (let left = 2; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
    }
  }
}
