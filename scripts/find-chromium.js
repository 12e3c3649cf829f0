// Where a Chromium is: CHROMIUM_PATH where set, else the first known name on PATH.
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function isExecutable (path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent or not ours to run: either way, look further
  }
}

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ path?: string, problem?: string }} `problem` only where CHROMIUM_PATH names no
 *   executable: an explicit wish is reported, never quietly replaced by another browser.
 */
export function findChromium (env = process.env) {
  const wished = env.CHROMIUM_PATH
  if (wished !== undefined && wished !== '') {
    return isExecutable(wished)
      ? { path: wished }
      : { problem: `CHROMIUM_PATH=${wished} is not an executable file.` }
  }
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder === '') continue
    for (const name of names) {
      const path = join(folder, name)
      if (isExecutable(path)) return { path }
    }
  }
  return {}
}
