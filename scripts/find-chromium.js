import { findExecutable } from './find-executable.js'

/** @param {NodeJS.ProcessEnv} [env] */
export function findChromium (env) {
  return findExecutable({
    variable: 'CHROMIUM_PATH',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
  }, env)
}
