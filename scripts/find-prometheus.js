import { findExecutable } from './find-executable.js'

/**
 * The server, and promtool, which checks and tests its rules.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ path?: string, promtool?: string, problem?: string }} `path` of the server only where both are there
 */
export function findPrometheus (env) {
  const server = findExecutable({ variable: 'PROMETHEUS_PATH', names: ['prometheus'] }, env)
  const promtool = findExecutable({ variable: 'PROMTOOL_PATH', names: ['promtool'] }, env)
  const problem = server.problem ?? promtool.problem
  if (problem !== undefined) return { problem }
  if (server.path === undefined || promtool.path === undefined) return {}
  return { path: server.path, promtool: promtool.path }
}
