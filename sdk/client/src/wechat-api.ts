/** As much of the global `wx` of a WeChat mini program as the client uses. */
export interface WechatApi {
  connectSocket (options: WechatConnectOptions): WechatSocketTask | undefined
  onNetworkStatusChange (listener: (status: { isConnected: boolean }) => void): void
  /** Base library 2.9.3. */
  offNetworkStatusChange? (listener: (status: { isConnected: boolean }) => void): void
  onAppShow (listener: () => void): void
  offAppShow? (listener: () => void): void
}

export interface WechatConnectOptions {
  url: string
  protocols?: string[]
  /** Where no connection is even tried: a sixth socket, or a domain that is not on the mini program's list. */
  fail?: (error: WechatError) => void
}

/** One WebSocket. */
export interface WechatSocketTask {
  send (options: { data: string | ArrayBuffer, fail?: (error: WechatError) => void }): void
  /** The code is 1000 or from 3000 to 4999. */
  close (options: { code?: number, reason?: string, fail?: (error: WechatError) => void }): void
  onOpen (listener: () => void): void
  onClose (listener: (event: { code: number, reason: string }) => void): void
  onError (listener: (error: WechatError) => void): void
  onMessage (listener: (event: { data: string | ArrayBuffer }) => void): void
}

export interface WechatError {
  errMsg: string
}
