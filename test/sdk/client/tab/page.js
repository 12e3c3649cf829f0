/* global window */
// The client in a page, driven and watched by a test: browser-tab.ts, which exposes tell(), askToken() and askUrl().
import { browserTransport, MicsClient } from './client/browser.min.js'
import { aesGcm } from './client/encryption.js'

const { tell, askToken, askUrl } = window

/** As in the client's README, for a site that allows no worker but its own. */
function every (ms, listener) {
  const worker = new window.Worker('/timer.js')
  worker.onmessage = () => listener()
  worker.postMessage(ms)
  return () => worker.terminate()
}

window.start = ({ key, random, ownTimer, ...options }) => {
  const client = new MicsClient({
    tenantId: 't1',
    deviceId: 'd1',
    ...options,
    url: () => askUrl(),
    token: () => askToken(),
    random: () => random,
    transport: ownTimer ? { ...browserTransport(), every } : undefined,
    encryption: key && aesGcm({ keys: { k1: Uint8Array.from(key) }, keyId: 'k1' }),
  })
  client.on('state', state => tell('state', state))
  client.on('message', ({ userId, text, isOwn }) => tell('message', { userId, text, isOwn }))
  client.on('repeat', ({ text }) => tell('repeat', text))
  client.on('error', ({ code, message }) => tell('error', { code, message }))
  client.on('frame', direction => tell('frame', direction))
  window.client = client
}

window.send = async message => {
  try {
    return await window.client.send(message)
  } catch ({ code, message, ack }) {
    return { code, message, ack }
  }
}

tell('ready')
