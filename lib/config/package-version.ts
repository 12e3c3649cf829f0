import { readFileSync } from 'node:fs'

/** The version in package.json: two folders up from the sources, three from dist/. */
export function packageVersion (): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const found = readIfThere(new URL(path, import.meta.url))
    if (found !== undefined) return JSON.parse(found).version
  }
  throw new Error('package.json is missing beside the sources: install MICS again')
}

function readIfThere (url: URL): string | undefined {
  try {
    return readFileSync(url, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
