import { findExecutable } from './find-executable.js'

/** @param {NodeJS.ProcessEnv} [env] */
export function findRedis (env) {
  return findExecutable({ variable: 'REDIS_SERVER_PATH', names: ['redis-server'] }, env)
}
