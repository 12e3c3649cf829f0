// `npm run example:wechat-page`: prepares the mini program for WeChat's developer tools, and starts a gateway for it
// unless MICS_URL names one.
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startGateway } from './gateway.js'

const folder = fileURLToPath(new URL('../wechat-page', import.meta.url))
const sdk = fileURLToPath(new URL('../../sdk/client', import.meta.url))
const { miniprogram } = JSON.parse(readFileSync(`${sdk}/package.json`, 'utf8'))

// What "Build npm" in the developer tools does with the package.
rmSync(`${folder}/miniprogram_npm`, { recursive: true, force: true })
cpSync(`${sdk}/${miniprogram}`, `${folder}/miniprogram_npm/@mics/client`, { recursive: true })

// The address stands in the mini program's config.js, so the port is a fixed one here.
const port = process.env.PORT ?? '8080'
const url = process.env.MICS_URL || (await startGateway({ PORT: port })).url.replace('http:', 'ws:')

console.log(`
  The mini program is ready in ${folder}
  The gateway is ${url}

  1. In WeChat's developer tools choose Import, and that folder. Any AppID will do, a test one too.
  2. The address of the gateway must be in config.js of the mini program, which says ws://127.0.0.1:8080.
  3. Sign in with any name, and write to the group lobby.${process.env.MICS_URL
    ? ''
    : `
     Somebody else is at ${url.replace('ws:', 'http:')} in a browser, as another person.`}

  To stop it, press Ctrl-C.
`)
