// A bot that answers: /help, /time, and everything else with an echo.
import { setTimeout as delay } from 'node:timers/promises'
import { MicsClient } from '@mics/client'
import { answerTo } from './answers.js'

const {
  MICS_URL = 'ws://localhost:8080',
  MICS_TENANT = 'demo',
  // The demo tenant takes `valid:<name>`. A real tenant gives your bot a token of its own, like any other user.
  MICS_TOKEN = 'valid:bot',
} = process.env

const client = new MicsClient({
  url: MICS_URL,
  tenantId: MICS_TENANT,
  token: MICS_TOKEN,
  // One process, one device. A second process with the same device id would replace the first (4409).
  deviceId: 'bot',
})

/** Who the tenant says the bot is. */
let botId = ''

client.on('state', state => {
  if (state.name === 'connected') {
    botId = state.userId
    console.log(`connected as ${botId}`)
  }
  // The client connects again by itself. This is only for who reads along.
  if (state.name === 'waiting') console.log(`not connected (${state.code} ${state.reason}), trying again`)
  // The gateway said not to come back: a wrong token, an unknown tenant, or another bot has taken this one's place.
  if (state.name === 'closed') {
    console.error(`the gateway closed the connection for good: ${state.code} ${state.reason}`)
    process.exitCode = 1
  }
})

client.on('error', error => console.error(error.message))

client.on('message', async message => {
  // From another device of the bot itself: an answer to it would be answered in turn.
  if (message.isOwn) return
  const isGroup = message.groupId !== ''
  const text = isGroup ? mentionIn(message.text) : message.text.trim()
  if (text === undefined) return
  const body = answerTo(text)
  const recipient = isGroup ? { groupId: message.groupId } : { toUserId: message.userId }
  console.log(`${message.userId}: ${text}`)
  try {
    await sendPatiently({ ...recipient, body: isGroup ? `@${message.userId} ${body}` : body })
  } catch (error) {
    console.error(`the answer to ${message.userId} was not sent: ${error.message}`)
  }
})

/** What a message in a group says to the bot; undefined where it does not mention it. */
function mentionIn (text) {
  const words = text.trim().split(/\s+/)
  const rest = words.filter(word => word !== `@${botId}`)
  return rest.length < words.length ? rest.join(' ') : undefined
}

/**
 * Sends, and tries again what failed for a reason that passes. The client has sent it again by itself where the
 * connection broke; what the gateway FAILED is for the app to decide.
 */
async function sendPatiently (message) {
  const msgId = crypto.randomUUID() // the same each time: it is delivered once
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.send({ ...message, msgId })
    } catch (error) {
      if (!error.isPassing || attempt === 5) throw error
      await delay(1000 * attempt)
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    console.log('stopping')
    await client.close() // nothing is left that keeps the process alive
  })
}

// Resolves when connected. Until then it goes on trying, so it need not be waited for: `state` tells the same.
client.connect()
