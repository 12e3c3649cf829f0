// Where scripts keep what takes long to fetch or build: outside the checkout, so that a fresh clone has it too.
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'

/**
 * @param {string} name
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string} the path of a folder, which need not exist
 */
export function cacheFolder (name, env = process.env) {
  // An XDG_CACHE_HOME that is not absolute is to be ignored: XDG Base Directory Specification.
  const base = isAbsolute(env.XDG_CACHE_HOME ?? '') ? env.XDG_CACHE_HOME : join(homedir(), '.cache')
  return join(base, 'mics', name)
}
