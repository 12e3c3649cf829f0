import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'

/** An import says `.js`, as it is compiled; the source is `.ts`. */
export async function resolve (specifier, context, next) {
  if (/^(\.|\/|file:).*\.js$/.test(specifier) && context.parentURL !== undefined) {
    const source = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (existsSync(source)) return { url: source.href, format: 'module', shortCircuit: true }
  }
  return await next(specifier, context)
}

export async function load (url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return await next(url, context)
  const sourcefile = fileURLToPath(url)
  const { code } = await transform(await readFile(sourcefile, 'utf8'),
    { sourcefile, loader: 'ts', format: 'esm', target: 'es2023', sourcemap: 'inline', sourcesContent: false })
  return { format: 'module', source: code, shortCircuit: true }
}
