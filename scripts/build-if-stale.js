// Builds where dist/ is missing or older than the sources, so that `npm start` runs what the sources say.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const entry = join(root, 'dist/cli/mics.js')
const stamp = join(root, 'dist/.built')

if (isTypescriptInstalled()) {
  if (isStale()) {
    console.error('dist/ is missing or older than the sources: building it')
    await import('./build.js')
  }
} else if (!existsSync(entry)) {
  console.error('There is no dist/ and TypeScript is not installed to build it: run `npm ci` with development dependencies, then `npm run build`')
  process.exit(1)
}

function isStale () {
  if (!existsSync(entry) || !existsSync(stamp)) return true
  const built = statSync(stamp).mtimeMs
  return sources().some(path => statSync(path).mtimeMs > built)
}

/** What ends up in dist/, and what says how. */
function sources () {
  const top = readdirSync(root).filter(name => name.endsWith('.ts') || /^tsconfig.*\.json$/.test(name))
  const folders = ['cli', 'lib', 'plugins', 'routes', 'sdk/client/src', 'sdk/hook-server/src']
    .filter(name => existsSync(join(root, name)))
  const within = folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath ?? entry.path, entry.name)))
  return [...top.map(name => join(root, name)), ...within]
}

function isTypescriptInstalled () {
  try {
    createRequire(import.meta.url).resolve('typescript/package.json')
    return true
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return false
    throw error
  }
}
