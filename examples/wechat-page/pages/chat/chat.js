const app = getApp()

/** What the page keeps. A real app puts messages into storage, and shows the last ones. */
const MAX_MESSAGES = 200

const stateTexts = {
  offline: 'not connected',
  connecting: 'connecting …',
  connected: 'connected',
  waiting: 'no connection, trying again',
}

Page({
  data: { isSignedIn: false, state: '', to: 'lobby', isGroup: true, text: '', messages: [] },

  onUnload () {
    this.stopListening()
  },

  handleSignIn (event) {
    const name = event.detail.value.name.trim()
    if (name === '') return
    const client = app.signIn(name)
    const offState = client.on('state', () => this.showState(client.state))
    const offMessage = client.on('message', message => this.show({
      id: `${message.userId}/${message.deviceId}/${message.msgId}`,
      from: message.userId,
      to: message.groupId === '' ? message.toUserId : `#${message.groupId}`,
      text: message.text,
      isOwn: message.isOwn,
      status: '',
    }))
    this.stopListening = () => {
      offState()
      offMessage()
    }
    this.setData({ isSignedIn: true })
    this.showState(client.state)
  },

  handleSignOut () {
    this.stopListening()
    app.signOut()
    this.setData({ isSignedIn: false, state: '', messages: [] })
  },

  handleTo (event) {
    this.setData({ to: event.detail.value })
  },

  handleGroup (event) {
    this.setData({ isGroup: event.detail.value })
  },

  handleSend (event) {
    const text = event.detail.value.text
    const { to, isGroup } = this.data
    if (text.trim() === '' || to === '') return
    const message = {
      // By it the gateway recognizes a message that it has already: trying again never delivers it twice.
      id: `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`,
      recipient: isGroup ? { groupId: to } : { toUserId: to },
      from: app.globalData.name,
      to: isGroup ? `#${to}` : to,
      text,
      isOwn: true,
      status: 'waiting',
    }
    this.show(message)
    this.setData({ text: '' })
    this.deliver(message)
  },

  handleRetry (event) {
    const message = this.data.messages.find(({ id }) => id === event.currentTarget.dataset.id)
    if (message !== undefined) this.deliver(message)
  },

  /** `send` waits for a connection where there is none, and sends again what may have been lost with one. */
  async deliver ({ id, recipient, text }) {
    this.update(id, 'waiting')
    try {
      await app.globalData.client.send(Object.assign({ msgId: id, body: text }, recipient))
      this.update(id, 'sent')
    } catch (error) {
      this.update(id, `failed: ${error.ack === undefined ? error.message : error.ack.reason}`)
    }
  },

  show (message) {
    this.setData({ messages: this.data.messages.concat(message).slice(-MAX_MESSAGES) })
  },

  update (id, status) {
    this.setData({
      messages: this.data.messages.map(message => message.id === id ? Object.assign({}, message, { status }) : message),
    })
  },

  showState (state) {
    // The gateway said not to come back: the token was refused, say. Its reason is in plain English.
    this.setData({ state: state.name === 'closed' ? `${state.reason} (${state.code})` : stateTexts[state.name] })
  },

  /** Nothing to stop yet. */
  stopListening () {},
})
