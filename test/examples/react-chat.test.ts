import type { Browser, Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchChromium } from '../helpers/chromium.js'
import { CloseCode } from '../../lib/protocol/close-codes.js'
import { text } from '../helpers/client.js'
import { startPatientGateway } from '../helpers/patient-gateway.js'
import { StartedExample } from './started-example.js'

let browser: Browser
t.before(async () => { browser = await launchChromium() })
t.teardown(async () => await browser.close())

/** Somebody who chats, in a browser of their own. */
class Reader {
  /** Everything the browser complained about. */
  readonly complaints: string[] = []

  private constructor (readonly page: Page) {}

  static async signIn (t: Test, url: string, name: string): Promise<Reader> {
    const context = await browser.newContext()
    t.teardown(async () => await context.close())
    const reader = new Reader(await context.newPage())
    reader.page.setDefaultTimeout(60_000)
    reader.page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) reader.complaints.push(`${name}: ${message.text()}`)
    })
    reader.page.on('pageerror', error => reader.complaints.push(`${name}: ${error.stack}`))
    await reader.page.goto(url)
    await reader.page.getByLabel('Your name').fill(name)
    await reader.page.getByRole('button', { name: 'Sign in' }).click()
    await reader.banner(`Signed in as ${name}`)
    return reader
  }

  async banner (text: string): Promise<void> {
    await this.page.getByRole('status').filter({ hasText: text }).waitFor()
  }

  async open (conversation: string): Promise<void> {
    await this.page.getByRole('button', { name: conversation, exact: true }).click()
  }

  async write (text: string): Promise<void> {
    await this.page.getByLabel('Message').fill(text)
    await this.page.getByRole('button', { name: 'Send' }).click()
  }

  message (text: string): Locator {
    return this.page.getByRole('listitem').filter({ hasText: text })
  }

  async sees (text: string, status = ''): Promise<void> {
    await this.message(text).filter({ hasText: status }).waitFor()
  }

  /** Tries again what failed: on a busy machine a hook may miss its 150 ms. */
  async writeUntilSent (text: string): Promise<void> {
    await this.write(text)
    const sent = this.message(text).getByText('sent', { exact: true })
    const retry = this.message(text).getByRole('button', { name: 'Try again' })
    for (;;) {
      await sent.or(retry).waitFor()
      if (await sent.isVisible()) return
      await retry.click()
    }
  }
}

t.test('two people chat one to one and in a group', async t => {
  const example = StartedExample.start(t, 'react-chat', { PORT: '0' })
  const url = await example.printed(/The chat is at (\S+)/)
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(name => Reader.signIn(t, url, name)))
  await alice.writeUntilSent('hello <b>lobby</b> 你好')
  await bob.sees('hello <b>lobby</b> 你好')
  await alice.page.getByLabel('Write to').fill('bob')
  await alice.page.getByLabel('Write to').press('Enter')
  await alice.page.getByRole('heading', { name: 'bob' }).waitFor()
  await alice.writeUntilSent('just the two of us')
  await bob.open('alice')
  await bob.sees('just the two of us')
  t.equal(await bob.message('hello').count(), 0, 'the group is another conversation')
  await bob.writeUntilSent('yes')
  await alice.sees('yes')

  await alice.write('something forbidden')
  await alice.sees('something forbidden', 'failed: forbidden word')
  await alice.page.getByRole('button', { name: 'Try again' }).click()
  await alice.sees('something forbidden', 'failed: forbidden word')
  t.equal(await alice.message('something forbidden').count(), 1)

  await bob.page.getByRole('button', { name: 'Sign out' }).click()
  await bob.page.getByLabel('Your name').waitFor()
  t.strictSame([...alice.complaints, ...bob.complaints], [])
  await example.pressCtrlC()
})

t.test('what is written without a connection waits, and is sent when it is back', async t => {
  const gateway = await startPatientGateway(t)
  const example = StartedExample.start(t, 'react-chat', {
    PORT: '0', MICS_URL: gateway.url.replace('http', 'ws'), MICS_TENANT: 't1',
  })
  const alice = await Reader.signIn(t, await example.printed(/The chat is at (\S+)/), 'alice')
  const bob = await gateway.connect('bob')
  gateway.hooks.raw.set('auth', response => response.writeHead(500).end())
  for (const session of gateway.server.app.connections.ofUser('t1', 'alice')) session.close(CloseCode.DRAINING, 'going')
  await alice.banner('No connection')
  await alice.page.getByLabel('Write to').fill('bob')
  await alice.page.getByLabel('Write to').press('Enter')
  for (const line of ['one', 'two']) {
    await alice.write(line)
    await alice.sees(line, 'waiting')
  }
  gateway.hooks.raw.delete('auth')
  // Unless it has just come back by itself.
  await alice.page.getByRole('button', { name: 'Try now' }).click({ timeout: 1000 }).catch(() => {})
  await alice.banner('Signed in as alice')
  t.strictSame((await bob.waitMessages(2)).map(text), ['one', 'two'])
  for (const line of ['one', 'two']) await alice.sees(line, 'sent')

  t.comment('a tab whose place was taken says so')
  const deviceId = await alice.page.evaluate("sessionStorage.getItem('deviceId')") as string
  await gateway.connect('alice', { deviceId })
  await alice.banner('(4409)')
  await alice.page.getByRole('button', { name: 'Sign in again' }).click()
  await alice.page.getByLabel('Your name').waitFor()
  await example.terminate()
  t.notOk(example.isRunning(), 'nothing is left running')
})
