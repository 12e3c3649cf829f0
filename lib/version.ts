import { readFileSync } from 'node:fs'

/** The version in package.json: one folder up from the sources, two from dist/. */
export function version (): string {
  for (const path of ['../package.json', '../../package.json']) {
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
