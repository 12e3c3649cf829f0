import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Test } from 'tap'
import type { ConnectionState } from '../../../sdk/client/src/events.js'
import type { MessageAck, OutgoingMessage } from '../../../sdk/client/src/message.js'
import type { MicsClientOptions } from '../../../sdk/client/src/options.js'
import { launchChromium } from '../../helpers/chromium.js'

/** What the client's README says that a page must allow, and no more. */
const POLICY = "default-src 'none'; script-src 'self'; img-src data:; worker-src blob:; connect-src ws://127.0.0.1:*"

export interface TabsOptions {
  /** The site's Content-Security-Policy. */
  policy?: string
  launch?: () => Promise<Browser>
}

type Plain = 'deviceId' | 'heartbeatTimeoutMs' | 'connectTimeoutMs' | 'sendTimeoutMs'

export interface TabOptions extends Pick<MicsClientOptions, Plain> {
  /** Where the gateway is, asked for each time the client connects. */
  url: () => string
  token: () => string
  /** For the waits between attempts. Default 0: none. */
  random?: number
  /** 32 bytes: bodies are encrypted with it. */
  key?: number[]
  /** Heartbeats come from a worker of the site's own. */
  ownTimer?: boolean
}

export type Answer = Partial<MessageAck> & { code?: string, ack?: MessageAck }

/** A site with a bare page in which the client of the SDK runs, and a browser to open it. */
export class Tabs {
  private constructor (private readonly browser: Browser, private readonly site: string) {}

  /** Closed when the test ends. */
  static async start (t: Test, { policy = POLICY, launch = launchChromium }: TabsOptions = {}): Promise<Tabs> {
    const site = Fastify()
    site.addHook('onSend', async (_request, reply) => { reply.header('content-security-policy', policy) })
    const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
    await site.register(fastifyStatic, { root: folder('tab') })
    await site.register(fastifyStatic, { root: folder('../../../sdk/client/dist'), prefix: '/client/', decorateReply: false })
    const url = await site.listen({ host: '127.0.0.1', port: 0 })
    const browser = await launch()
    t.teardown(async () => {
      await browser.close()
      await site.close()
    })
    return new Tabs(browser, url)
  }

  /** The context of the browser's own window, where tabs hide each other. */
  get window (): BrowserContext {
    return this.browser.contexts()[0]
  }

  /** Opens the page with a client in it that does nothing yet; in a context of its own unless told. */
  async open (options: TabOptions, context?: BrowserContext): Promise<Tab> {
    const page = await (context ?? await this.browser.newContext()).newPage()
    return await Tab.open(page, this.site, options)
  }
}

/** A client in a page, and what it told its page so far. */
export class Tab {
  readonly states: ConnectionState[] = []
  readonly messages: Array<{ userId: string, text: string, isOwn: boolean }> = []
  readonly repeats: string[] = []
  readonly errors: Array<{ code: string, message: string }> = []
  readonly frames: Array<'in' | 'out'> = []
  /** What the browser complained about. */
  readonly complaints: string[] = []
  private readonly events = new EventEmitter().setMaxListeners(0)

  private constructor (readonly page: Page) {}

  static async open (page: Page, site: string, { url, token, random = 0, ...options }: TabOptions): Promise<Tab> {
    const tab = new Tab(page)
    const complain = (text: string): void => {
      tab.complaints.push(text)
      tab.events.emit('change')
    }
    page.on('console', message => { if (['error', 'warning'].includes(message.type())) complain(message.text()) })
    page.on('pageerror', error => complain(String(error.stack)))
    const lists: Record<string, unknown[]> = {
      state: tab.states, message: tab.messages, repeat: tab.repeats, error: tab.errors, frame: tab.frames, ready: [],
    }
    await page.exposeFunction('tell', (what: string, value: unknown) => {
      lists[what]?.push(value)
      tab.events.emit(`told ${what}`)
      tab.events.emit('change')
    })
    await page.exposeFunction('askUrl', url)
    await page.exposeFunction('askToken', token)
    await page.goto(site)
    await tab.until(() => lists.ready.length > 0 || tab.complaints.length > 0)
    if (lists.ready.length === 0) throw new Error(`the page does not work: ${tab.complaints[0]}`)
    await page.evaluate(`start(${JSON.stringify({ random, ...options })})`)
    return tab
  }

  /** Resolves when `condition` holds, looked at whenever something was told. */
  async until (condition: () => boolean): Promise<void> {
    while (!condition()) await once(this.events, 'change')
  }

  /** Calls back whenever the page tells this, such as what a test's own expression does. */
  onTold (what: string, listener: () => void): void {
    this.events.on(`told ${what}`, listener)
  }

  /** Rejects where the client does. */
  async connect (): Promise<void> {
    await this.page.evaluate('client.connect()')
    await this.until(() => this.state.name === 'connected')
  }

  async reconnect (): Promise<void> {
    await this.page.evaluate('client.reconnect()')
  }

  /** Resolves with the ack, or with what is told of the error. */
  async send (message: OutgoingMessage & { body: string }): Promise<Answer> {
    return await this.page.evaluate(`send(${JSON.stringify(message)})`)
  }

  get state (): ConnectionState {
    return this.states.at(-1) ?? { name: 'offline' }
  }

  /** How often it was in such a state. */
  times (name: ConnectionState['name']): number {
    return this.states.filter(state => state.name === name).length
  }

  get texts (): string[] {
    return this.messages.map(({ text }) => text)
  }

  /** The node that it is connected to; empty where it is not. */
  get nodeId (): string {
    return this.state.name === 'connected' ? this.state.nodeId : ''
  }
}
