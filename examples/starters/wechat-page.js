// `npm run example:wechat-page`: prepares the mini program for WeChat's developer tools, and starts a gateway for it
// unless MICS_URL names one.
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import config from '../wechat-page/config.js'
import { startGateway } from './gateway.js'

const folder = fileURLToPath(new URL('../wechat-page', import.meta.url))
const sdk = fileURLToPath(new URL('../../sdk/client', import.meta.url))
const { miniprogram } = JSON.parse(readFileSync(`${sdk}/package.json`, 'utf8'))

// What "Build npm" in the developer tools does with the package.
rmSync(`${folder}/miniprogram_npm`, { recursive: true, force: true })
cpSync(`${sdk}/${miniprogram}`, `${folder}/miniprogram_npm/@mics/client`, { recursive: true })

// The address stands in the mini program's config.js, so the port is a fixed one here.
const given = process.env.MICS_URL || undefined
const url = given ?? (await startGateway({ PORT: process.env.PORT ?? '8080' })).url.replace('http:', 'ws:')

console.log(`
  The mini program is ready in ${folder}
  The gateway is ${url}
`)
if (config.url !== url) console.log(`  Put that address into config.js, which says ${config.url}\n`)
console.log(`  In WeChat's developer tools choose Import, and that folder; a test AppID will do.
  Sign in with any name, and write to the group lobby.
`)
if (given === undefined) {
  console.log(`  Be somebody else at ${url.replace('ws:', 'http:')} in a browser.
  To stop the gateway, press Ctrl-C.
`)
}
