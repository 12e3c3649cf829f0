import { MicsClient as Client } from './client.js'
import type { MicsClientOptions } from './options.js'
import type { WechatApi } from './wechat-api.js'
import { wechatTransport } from './wechat-transport.js'

export * from './exports.js'
export type { WechatApi, WechatConnectOptions, WechatError, WechatSocketTask } from './wechat-api.js'
export { wechatTransport }

declare const wx: WechatApi

/**
 * The client for WeChat mini programs. The gateway's domain must be on the mini program's list of socket domains, as
 * `wss`: otherwise it connects nowhere but in the developer tools.
 */
export class MicsClient extends Client {
  /** @throws {MicsError} MICS_INVALID_ARGUMENT, naming the option that cannot be used */
  constructor (options: MicsClientOptions) {
    super({ ...options, transport: options.transport ?? wechatTransport(wx) })
  }
}
