import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'

/** Where tests leave pictures for people to look at. */
export const screenshots = join(process.cwd(), '.tap', 'screenshots')
mkdirSync(screenshots, { recursive: true })

/** Those who use the demo page, a browser context each. */
export class People {
  /** Everything the browser complained about, on any page. */
  readonly complaints: string[] = []

  constructor (private readonly browser: Browser, private readonly url: string) {}

  /** Resolves when the person is connected. */
  async join (name: string, { to = '', ...options }: { to?: string } & BrowserContextOptions = {}): Promise<Person> {
    const context = await this.browser.newContext({ viewport: { width: 1320, height: 800 }, ...options })
    const page = await context.newPage()
    page.setDefaultTimeout(10_000)
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${name}: ${message.text()}`)
    })
    page.on('pageerror', error => this.complaints.push(`${name}: ${error.stack}`))
    await page.goto(`${this.url}/?${new URLSearchParams({ user: name, to })}`)
    const person = new Person(name, page)
    await person.isConnected()
    return person
  }
}

/** Somebody in a tab of the demo page. */
export class Person {
  constructor (readonly name: string, readonly page: Page) {}

  async isConnected (): Promise<void> {
    await this.page.getByTestId('conn-state').filter({ hasText: exactly('connected') }).waitFor()
  }

  async open (conversation: string): Promise<void> {
    await this.page.getByTestId(`conversation-${conversation}`).getByRole('button').click()
    await this.page.getByTestId('chat-title').filter({ hasText: exactly(conversation) }).waitFor()
  }

  async write (text: string): Promise<Locator> {
    await this.page.getByTestId('text').fill(text)
    await this.page.getByTestId('text').press('Enter')
    return this.message(text)
  }

  /** The row of a message in the open conversation, once it is there. */
  async message (text: string): Promise<Locator> {
    const row = this.page.getByTestId('messages').locator('.message').filter({ hasText: text })
    await row.waitFor()
    return row
  }

  /** Resolves when the message's ack line reads like this. */
  async ack (text: string, expected: string | RegExp): Promise<void> {
    const row = await this.message(text)
    await row.locator('.ack').filter({ hasText: exactly(expected) }).waitFor()
  }

  /** Writes, and tries again what failed: on a busy machine a hook may not answer within its 150 ms. */
  async writeUntilSent (text: string): Promise<void> {
    const row = await this.write(text)
    const failed = row.getByRole('button', { name: 'try again' })
    const sent = row.locator('.ack').filter({ hasText: exactly('✓ sent') })
    for (;;) {
      await failed.or(sent).first().waitFor()
      if (await sent.isVisible()) return
      await failed.click()
    }
  }

  async shows (name: string): Promise<void> {
    await this.page.screenshot({ path: join(screenshots, `${name}.png`) })
  }

  async leave (): Promise<void> {
    await this.page.context().close()
  }
}

/** `hasText` alone looks for a part of the text. */
export function exactly (text: string | RegExp): RegExp {
  return text instanceof RegExp ? text : new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`)
}
