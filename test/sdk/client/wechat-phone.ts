import { existsSync, readFileSync } from 'node:fs'
import { isArrayBuffer } from 'node:util/types'
import { createContext, runInContext, type Context } from 'node:vm'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { WechatApi, WechatConnectOptions, WechatSocketTask } from '../../../sdk/client/src/wechat.js'

type Listener<Event = unknown> = (event: Event) => void

const MAX_SOCKETS = 5

const miniprogram = new URL('../../../sdk/client/miniprogram_dist/', import.meta.url)
if (!existsSync(new URL('index.js', miniprogram))) throw new Error('sdk/client is not built: `npm run build:sdk` first')

/** What came after ECMAScript 2018: engines of older phones have none of it. */
const LATER = `
  for (const [of, names] of [
    [Array.prototype, ['at', 'flat', 'flatMap', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced', 'with']],
    [String.prototype, ['at', 'matchAll', 'replaceAll', 'trimStart', 'trimEnd', 'isWellFormed', 'toWellFormed']],
    [Object.getPrototypeOf(Uint8Array.prototype), ['at', 'findLast', 'toSorted', 'with']],
    [Object, ['fromEntries', 'hasOwn', 'groupBy']],
    [Promise, ['allSettled', 'any', 'withResolvers', 'try']],
    [globalThis, ['BigInt', 'BigInt64Array', 'BigUint64Array', 'WeakRef', 'FinalizationRegistry', 'AggregateError', 'Atomics', 'globalThis']],
  ]) for (const name of names) delete of[name]
`

/** A phone on which a mini program runs: real sockets, and `wx` as WeChat documents it. */
export class WechatPhone {
  readonly sockets = new Set<WebSocket>()
  /** Every `wx.connectSocket` so far. */
  readonly connects: WechatConnectOptions[] = []
  /** Words of the error with which every connectSocket fails, as for a domain that is not on the list. */
  refusal?: string
  /** Says of which timers nothing comes when they are due: in the background WeChat holds those of a mini program. */
  holdsTimer: (ms: number) => boolean = () => false
  private readonly shows = new Set<Listener<void>>()
  private readonly networks = new Set<Listener<{ isConnected: boolean }>>()
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly modules = new Map<string, { exports: object }>()
  private readonly context: Context

  constructor (t: Test) {
    this.context = this.createContext()
    t.teardown(() => {
      for (const ws of this.sockets) ws.terminate()
      for (const timer of this.timers) clearTimeout(timer)
    })
  }

  readonly wx: WechatApi = {
    connectSocket: options => this.connectSocket(options),
    onAppShow: listener => { this.shows.add(listener) },
    offAppShow: listener => { this.shows.delete(listener) },
    onNetworkStatusChange: listener => { this.networks.add(listener) },
    offNetworkStatusChange: listener => { this.networks.delete(listener) },
  }

  /** Listeners of `wx` itself. */
  get listeners (): number {
    return this.shows.size + this.networks.size
  }

  /**
   * What `require` gives in the mini program, after "Build npm" has copied miniprogram_dist: only files of that folder
   * are found, by the path behind the package's name, and index.js without one. `exports` of package.json is not read.
   */
  require<T> (name: string): T {
    if (!/^@mics\/client(\/|$)/.test(name)) throw new Error(`module '${name}' is not defined`)
    return this.load(name.slice('@mics/client/'.length) || 'index') as T
  }

  private load (path: string): object {
    const file = `${path.replace(/^\.\//, '').replace(/\.js$/, '')}.js`
    const loaded = this.modules.get(file)
    if (loaded !== undefined) return loaded.exports
    const module = { exports: {} }
    this.modules.set(file, module)
    const code = readFileSync(new URL(file, miniprogram), 'utf8')
    const run = this.run(`(function (module, exports, require) { 'use strict'; ${code}\n})`) as (...args: unknown[]) => void
    run(module, module.exports, (path: string) => this.load(path))
    return module.exports
  }

  /** Runs a program where there is ECMAScript 2018, timers, console and `wx`, and nothing else. */
  run (code: string): unknown {
    return runInContext(code, this.context)
  }

  private createContext (): Context {
    const context = createContext({
      wx: this.wx,
      console,
      setTimeout: this.unlessHeld(setTimeout),
      setInterval: this.unlessHeld(setInterval),
      clearTimeout,
      clearInterval,
    })
    runInContext(LATER, context)
    return context
  }

  /** The network is gone: every socket breaks. */
  drop (): void {
    for (const ws of this.sockets) ws.terminate()
  }

  show (): void {
    for (const listener of this.shows) listener()
  }

  changeNetwork (isConnected: boolean): void {
    for (const listener of this.networks) listener({ isConnected })
  }

  private unlessHeld (set: typeof setTimeout | typeof setInterval) {
    return (callback: () => void, ms = 0) => {
      const timer = set(() => { if (!this.holdsTimer(ms)) callback() }, ms)
      this.timers.add(timer)
      return timer
    }
  }

  private connectSocket (options: WechatConnectOptions): WechatSocketTask {
    this.connects.push(options)
    const refusal = this.refusal ??
      (this.sockets.size >= MAX_SOCKETS ? 'exceed max task count' : undefined)
    if (refusal !== undefined) {
      // `onClose` does not come then.
      setImmediate(() => options.fail?.({ errMsg: `connectSocket:fail ${refusal}` }))
      return { send: noSocket, close: noSocket, onOpen: never, onClose: never, onError: never, onMessage: never }
    }
    const ws = new WebSocket(options.url, options.protocols, { perMessageDeflate: false })
    this.sockets.add(ws)
    ws.on('error', () => {})
    ws.on('close', () => this.sockets.delete(ws))
    return {
      send: ({ data, fail }) => {
        if (typeof data !== 'string' && !isArrayBuffer(data)) throw new TypeError('data must be a string or an ArrayBuffer')
        ws.send(data, error => { if (error != null) fail?.({ errMsg: `sendSocketMessage:fail ${error.message}` }) })
      },
      close: ({ code = 1000, reason = '' }) => {
        if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new RangeError(`${code} may not be sent`)
        ws.close(code, reason)
      },
      onOpen: listener => ws.on('open', listener),
      onClose: listener => ws.on('close', (code, reason) => listener({ code, reason: reason.toString() })),
      onError: listener => ws.on('error', ({ message }) => listener({ errMsg: message })),
      onMessage: listener => ws.on('message', (data: Buffer, isBinary) => {
        listener({ data: isBinary ? new Uint8Array(data).buffer : data.toString() })
      }),
    }
  }
}

function never (): void {}

function noSocket (): never {
  throw new Error('there is no socket')
}
