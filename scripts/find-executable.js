// Where a program is: at the path that an environment variable names, else under the first known name on PATH.
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

/**
 * @param {{ variable: string, names: string[] }} program
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ path?: string, problem?: string }} `problem` only where the variable names no executable: an explicit
 *   wish is reported, never quietly replaced by another program.
 */
export function findExecutable ({ variable, names }, env = process.env) {
  const wished = env[variable]
  if (wished !== undefined && wished !== '') {
    return isExecutable(wished)
      ? { path: wished }
      : { problem: `${variable}=${wished} is not an executable file.` }
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

function isExecutable (path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent or not ours to run: either way, look further
  }
}
