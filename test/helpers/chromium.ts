import { chromium, type Browser, type LaunchOptions } from 'playwright-core'
import { findChromium } from '../../scripts/find-chromium.js'

/**
 * The machine's own Chromium, headless, with everything off that would call home. The caller closes it.
 * @param options.args more arguments
 */
export async function launchChromium (
  { args = [], ...options }: Pick<LaunchOptions, 'args' | 'ignoreDefaultArgs'> = {}
): Promise<Browser> {
  const { path, problem } = findChromium()
  if (path === undefined) {
    throw new Error(problem ?? 'no Chromium found: run `node scripts/install-chromium.js`, or set CHROMIUM_PATH')
  }
  return chromium.launch({
    ...options,
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
      ...args,
    ],
  })
}
