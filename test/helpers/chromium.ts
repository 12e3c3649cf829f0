import { chromium, type Browser } from 'playwright-core'
import { findChromium } from '../../scripts/find-chromium.js'

/** The machine's own Chromium, headless, with everything off that would call home. The caller closes it. */
export async function launchChromium (): Promise<Browser> {
  const { path, problem } = findChromium()
  if (path === undefined) {
    throw new Error(problem ?? 'no Chromium found: run `node scripts/install-chromium.js`, or set CHROMIUM_PATH')
  }
  return chromium.launch({
    executablePath: path,
    headless: true,
    args: [
      '--no-sandbox', // in a container there is no user namespace to make one in
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
