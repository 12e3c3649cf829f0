import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, transform } from 'esbuild'
import t from 'tap'
import ts from 'typescript'

/** Of the whole client for browsers, as a page loads it. What makes it larger should be worth it. */
const MAX_GZIPPED_BYTES = 9 * 1024

const folder = new URL('../../../sdk/client/', import.meta.url)
const manifest = JSON.parse(await readFile(new URL('package.json', folder), 'utf8')) as Record<string, unknown>
if (!existsSync(new URL('dist/.built', folder))) throw new Error('sdk/client is not built: `npm run build:sdk` first')

/** The strings in a value of package.json that are paths. */
function paths (value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Object.values(value as object).flatMap(paths)
}

/** What a bundler for browsers makes of an entry of the package, and what it would import from elsewhere. */
async function bundled (path: string): Promise<{ inputs: string[], imports: string[] }> {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(folder),
    entryPoints: [path],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    packages: 'external',
    outdir: 'out',
  })
  const imports = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  return { inputs: Object.keys(metafile.inputs), imports }
}

t.test('every file that package.json names is there after a build', async t => {
  const { exports, main, types, browser, miniprogram } = manifest
  const named = paths({ exports, main, types, browser, miniprogram: `${String(miniprogram)}/index.js` })
  t.ok(named.length > 10)
  for (const path of named) t.ok(existsSync(new URL(path, folder)), path)
})

t.test('types are given for every entry, before the code', async t => {
  const check = (entry: Record<string, unknown>, name: string): void => {
    if ('default' in entry && typeof entry.default === 'string') {
      t.equal(Object.keys(entry)[0], 'types', name)
      t.equal(entry.types, entry.default.replace(/\.js$/, '.d.ts'), name)
    } else {
      for (const [condition, inner] of Object.entries(entry)) check(inner as Record<string, unknown>, `${name} ${condition}`)
    }
  }
  for (const [name, entry] of Object.entries(manifest.exports as object)) {
    if (typeof entry === 'object') check(entry as Record<string, unknown>, name)
  }
})

for (const entry of ['browser', 'wechat', 'encryption', 'protocol']) {
  t.test(`dist/${entry}.js imports nothing from elsewhere: no package, nothing of Node.js`, async t => {
    const { inputs, imports } = await bundled(`./dist/${entry}.js`)
    t.ok(inputs.includes(`dist/${entry}.js`))
    t.strictSame(imports, [])
    t.notOk(inputs.some(path => path.includes('node')), 'nor does it bring along what is for Node.js')
  })
}

t.test('dist/node.js needs ws and nothing else', async t => {
  const { imports } = await bundled('./dist/node.js')
  t.strictSame([...new Set(imports)], ['ws'])
  t.notOk(builtinModules.includes('ws'))
})

t.test('the types need no others, neither those of Node.js nor of a browser, and go with either', async t => {
  const path = (name: string): string => fileURLToPath(new URL(`dist/${name}.d.ts`, folder))
  const problems = (roots: string[], lib: string[], types: string[]): string[] => {
    const program = ts.createProgram(roots, {
      lib: lib.map(name => `lib.${name}.d.ts`),
      types,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    })
    return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  }
  const entries = ['node', 'browser', 'wechat', 'encryption', 'protocol'].map(path)
  t.strictSame(problems(entries, ['es2018'], []), [])
  t.strictSame(problems(entries, ['es2022', 'dom'], []), [])
  t.strictSame(problems([...entries, path('react')], ['es2022'], ['node']), [])
})

t.test('a server that renders pages may import what is for browsers, and make a client of it', async t => {
  const { MicsClient } = await import(new URL('dist/browser.js', folder).href) as typeof import('../../../sdk/client/src/browser.js')
  const client = new MicsClient({ url: 'wss://im.example.com', tenantId: 't1', deviceId: 'd1', token: 'x' })
  t.equal(client.state.name, 'offline')
})

t.test('an app that uses one part carries only that one', async t => {
  const { inputs } = await bundled('./dist/encryption.js')
  t.strictSame(inputs.filter(path => /client|transport|frames/.test(path)), [])
})

t.test('the whole client for browsers is small', async t => {
  const minified = await readFile(new URL('dist/browser.min.js', folder))
  const { length } = gzipSync(minified, { level: 9 })
  t.comment(`dist/browser.min.js has ${minified.length} bytes, ${length} gzipped`)
  t.ok(length <= MAX_GZIPPED_BYTES, `${length} of ${MAX_GZIPPED_BYTES} bytes`)
  t.notMatch(minified.toString(), /\bimport\b|\brequire\(/)
})

t.test('the bundle for mini programs is CommonJS in the syntax of ECMAScript 2018', async t => {
  const code = await readFile(new URL('miniprogram_dist/index.js', folder), 'utf8')
  t.match(code, /module\.exports = /)
  t.notMatch(code, /require\(/)
  const [lowered, asItIs] = await Promise.all(['es2018', 'esnext'].map(async target => await transform(code, { target })))
  t.equal(lowered.code, asItIs.code)
})
