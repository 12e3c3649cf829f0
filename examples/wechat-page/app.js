const { MicsClient } = require('@mics/client')
const config = require('./config.js')

App({
  /** Who is signed in, and their client. Pages reach them with getApp(). */
  globalData: { name: '', client: undefined },

  /** One client for the whole mini program: pages come and go, and the connection stays. */
  signIn (name) {
    const client = new MicsClient({
      url: config.url,
      tenantId: config.tenantId,
      deviceId: deviceId(),
      // The demo tenant takes `valid:<name>`. Your app calls wx.login(), and your backend gives a token for its code.
      token: async () => `valid:${name}`,
      // What is written in a tunnel waits until there is a connection again. Default: 30 seconds.
      sendTimeoutMs: Infinity,
    })
    this.globalData = { name, client }
    client.connect()
    return client
  },

  signOut () {
    if (this.globalData.client !== undefined) this.globalData.client.close()
    this.globalData = { name: '', client: undefined }
  },
})

/** Each installation is a device of its own, and stays the same one. */
function deviceId () {
  const stored = wx.getStorageSync('deviceId')
  if (stored !== '') return stored
  const id = `mini-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`
  wx.setStorageSync('deviceId', id)
  return id
}
