import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import type { Test } from 'tap'
import { WechatPhone } from '../sdk/client/wechat-phone.js'

const npmPackage = 'miniprogram_npm/@mics/client/index.js'

/** A page that is open: its data, and its functions, which WXML binds. */
export interface MiniPage {
  data: Record<string, any>
  [handler: string]: any
}

/** A mini program of a folder, run as WeChat runs it, up to its WXML: `App`, `Page`, `require`, `wx`. */
export class MiniProgram {
  readonly phone: WechatPhone
  private readonly modules = new Map<string, { exports: any }>()
  private readonly storage = new Map<string, string>()
  private app: object = {}
  private page?: MiniPage

  constructor (t: Test, private readonly folder: string) {
    this.phone = new WechatPhone(t)
    Object.assign(this.phone.wx, {
      getStorageSync: (key: string) => this.storage.get(key) ?? '',
      setStorageSync: (key: string, value: string) => { this.storage.set(key, value) },
    })
  }

  read (path: string): string {
    return readFileSync(posix.join(this.folder, path), 'utf8')
  }

  /** The module of this path, run once. */
  require (path: string): any {
    const loaded = this.modules.get(path)
    if (loaded !== undefined) return loaded.exports
    const module = { exports: {} }
    this.modules.set(path, module)
    const run = this.phone.run(`(function (module, exports, require, App, Page, getApp) { 'use strict'; ${this.read(path)}\n})`) as
      (...args: unknown[]) => void
    run(module, module.exports,
      (name: string) => this.require(name === '@mics/client' ? npmPackage : posix.join(posix.dirname(path), name)),
      (app: object) => { this.app = app },
      (definition: MiniPage) => { this.page = opened(definition) },
      () => this.app)
    return module.exports
  }

  /** Starts the program, and opens the page that `app.json` names first. */
  launch (): MiniPage {
    this.require('app.js')
    const [first] = JSON.parse(this.read('app.json')).pages
    this.require(`${first}.js`)
    return this.page as MiniPage
  }
}

function opened (definition: MiniPage): MiniPage {
  return {
    ...definition,
    data: structuredClone(definition.data),
    // What goes to the page's view goes there as JSON.
    setData (change: object) {
      Object.assign(this.data, JSON.parse(JSON.stringify(change)))
    },
  }
}
