import { delimiter } from 'node:path'
import process from 'node:process'
import { findExecutable } from './find-executable.js'

/** @param {NodeJS.ProcessEnv} [env] */
export function findNginx (env = process.env) {
  // Debian has it in a folder that is not on the PATH of everyone.
  const path = [env.PATH ?? '', '/usr/sbin', '/usr/local/sbin'].join(delimiter)
  return findExecutable({ variable: 'NGINX_PATH', names: ['nginx'] }, { ...env, PATH: path })
}
