import t from 'tap'
import { launchChromium } from '../helpers/chromium.js'
import { MicsProcess } from '../process/mics-process.js'
import { People, type Person } from './people.js'

/*
 * The demo as three nodes, in a real browser. All open the page at the first one.
 */

const mics = MicsProcess.start(t, ['dev', '--nodes', '3'])
const [, url] = await mics.prints(/Open (http:\S+) in two tabs/)
const browser = await launchChromium()
t.teardown(async () => await browser.close())
const people = new People(browser, url)

/** The nodes that this tab has tried so far. On a busy machine one may refuse with 4503, and the next is tried. */
async function tried (person: Person): Promise<string[]> {
  const attempts = person.page.locator('.frame', { hasText: 'connecting to' })
  return await attempts.locator('.node').allTextContents()
}

/** The node that the person is connected to, as the gateway says. */
async function nodeOf (person: Person): Promise<string> {
  await person.isConnected()
  const detail = await person.page.getByTestId('conn-detail').textContent()
  return /^node (\S+) ·/.exec(detail ?? '')?.[1] ?? ''
}

async function choose (person: Person, node: string): Promise<void> {
  while (await nodeOf(person) !== node) {
    await person.page.getByTestId('nodes').getByRole('button', { name: node }).click()
  }
}

async function via (person: Person, text: string): Promise<string | null> {
  return await (await person.message(text)).locator('.via').textContent()
}

t.test('each tab starts on another node, and what people write crosses between them', async t => {
  const alice = await people.join('alice', { to: 'bob' })
  const bob = await people.join('bob', { to: 'alice', colorScheme: 'dark' })
  const carol = await people.join('carol')
  const starts = await Promise.all([alice, bob, carol].map(async person => (await tried(person))[0]))
  t.same(starts, ['node-1', 'node-2', 'node-3'])
  await choose(alice, 'node-1')
  await choose(bob, 'node-2')
  await choose(carol, 'node-3')

  await alice.writeUntilSent('from one to two')
  t.equal(await via(alice, 'from one to two'), 'via node-1')
  t.equal(await via(bob, 'from one to two'), 'via node-2')
  await bob.writeUntilSent('from two to one')
  t.equal(await via(alice, 'from two to one'), 'via node-1')
  t.match(await alice.page.getByTestId('frame-log').textContent(), /delivery\d+ Bnode-1/)

  for (const person of [alice, bob, carol]) await person.open('team')
  await carol.writeUntilSent('from three to all')
  t.equal(await via(alice, 'from three to all'), 'via node-1')
  t.equal(await via(bob, 'from three to all'), 'via node-2')
  for (const person of [alice, bob, carol]) {
    await person.shows(`nodes-${person.name}`)
    await person.leave()
  }
})

t.test('on a phone the nodes fit', async t => {
  const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }
  const fay = await people.join('fay', phone)
  await fay.page.getByTestId('nodes').waitFor()
  t.equal(await fay.page.evaluate('document.documentElement.scrollWidth - window.innerWidth'), 0)
  await fay.shows('nodes-phone')
  await fay.leave()
})

t.test('every reconnect goes to the next node, and a person may choose one', async t => {
  const dave = await people.join('dave', { to: 'erin' })
  await dave.page.getByTestId('toggle-online').click()
  await dave.page.getByTestId('toggle-online').click()
  await dave.isConnected()
  const ring = ['node-1', 'node-2', 'node-3']
  const attempts = await tried(dave)
  t.ok(attempts.length > 1)
  const first = ring.indexOf(attempts[0])
  t.same(attempts, attempts.map((_, index) => ring[(first + index) % ring.length]))

  await choose(dave, 'node-3')
  t.same(await dave.page.getByTestId('nodes').locator('[aria-current=true]').allTextContents(), ['3'])
  const before = (await tried(dave)).length
  const [, pid] = await mics.prints(/node-3 .* pid (\d+)/)
  process.kill(Number(pid), 'SIGKILL')
  await mics.prints(/node-3 has ended \(SIGKILL\)/)
  await dave.write('still here')
  await dave.ack('still here', /^✓ sent/)
  t.equal((await tried(dave))[before], 'node-1')
  await dave.leave()
})

t.test('the browser had nothing to complain about', async t => {
  t.same(people.complaints, [])
})
