import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Puts what is needed of a built Kafka client, 17 of 300 MB, in place of what `to` has of it.
 * @param {string} from a folder like that of the client's package
 * @param {string} to
 */
export function copyBuiltFiles (from, to) {
  const inFolder = (folder, pattern) =>
    readdirSync(join(from, folder)).filter(name => pattern.test(name)).map(name => join(folder, name))
  const paths = [
    ...inFolder('build/Release', /\.node$/),
    // What the binary looks for in `../deps`. Without the number they are links.
    ...inFolder('build/deps', /\.so\.\d+$|\.\d+\.dylib$/),
  ]
  rmSync(join(to, 'build'), { recursive: true, force: true })
  for (const path of paths) cpSync(join(from, path), join(to, path))
}

/**
 * Keeps the files of a build, for other checkouts. Those that `cache` has are complete at any time.
 * @param {string} from the folder of the client's package
 * @param {string} cache
 */
export function keepBuiltFiles (from, cache) {
  mkdirSync(dirname(cache), { recursive: true })
  const fresh = mkdtempSync(`${cache}-`)
  try {
    copyBuiltFiles(from, fresh)
    rmSync(cache, { recursive: true, force: true })
    renameSync(fresh, cache)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/**
 * @param {string} cache
 * @param {string} to the folder of the client's package
 * @returns {boolean} false: nothing was kept, or not all of it
 */
export function restoreBuiltFiles (cache, to) {
  if (!['build/Release', 'build/deps'].every(name => existsSync(join(cache, name)))) return false
  copyBuiltFiles(cache, to)
  return true
}
