// `npm run example:bot`: the bot, and a gateway for it unless MICS_URL names one.
import { gatewayUrl } from './gateway.js'

const isOwnGateway = !process.env.MICS_URL
process.env.MICS_URL = await gatewayUrl()
await import('../bot/bot.js')

if (isOwnGateway) {
  const url = process.env.MICS_URL
  console.log(`
  The gateway is ${url}
  Open ${url.replace('ws:', 'http:')} in a browser and write to bot, or from another terminal:

    npm run mics -- client --url ${url} --tenant demo --user alice --to bot --text /help --receive 1

  To stop both, press Ctrl-C.
`)
}
