// Makes docs/api from the docstrings of the SDKs: a page for each path that their package.json exports. With --check it
// only says whether the pages are what the sources say. `npm run generate:api`.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application } from 'typedoc'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'docs/api')

const pages = new Map()
for (const name of ['client', 'hook-server']) {
  for (const [page, text] of await pagesOf(name)) pages.set(page, text)
}

if (process.argv.includes('--check')) {
  const committed = new Map(generatedIn(folder).map(page => [page, readFileSync(join(folder, page), 'utf8')]))
  const different = [...new Set([...pages.keys(), ...committed.keys()])]
    .filter(page => pages.get(page) !== committed.get(page))
  if (different.length > 0) {
    console.error(`docs/api is not what the SDKs' sources say: run npm run generate:api, and commit what it changes.\n${different.map(page => `  docs/api/${page}`).join('\n')}`)
    process.exitCode = 1
  }
} else {
  mkdirSync(folder, { recursive: true })
  for (const page of generatedIn(folder)) rmSync(join(folder, page))
  for (const [page, text] of pages) writeFileSync(join(folder, page), text)
}

/** Of the folder's pages the index alone is written by hand. */
function generatedIn (folder) {
  return readdirSync(folder).filter(page => page !== 'README.md')
}

async function pagesOf (name) {
  const sdk = join(root, 'sdk', name)
  const { name: packageName, exports } = JSON.parse(readFileSync(join(sdk, 'package.json'), 'utf8'))
  // Of a path with several targets, as for browsers and Node.js, the default one stands for all.
  const modules = new Map(Object.entries(exports).filter(([, target]) => typeof target === 'object')
    .map(([path, target]) => [(target.default.default ?? target.default).replace(/^.*\/(.*)\.js$/, '$1'), join(packageName, path)]))
  const output = mkdtempSync(join(tmpdir(), 'mics-api-'))
  try {
    const app = await Application.bootstrapWithPlugins({
      entryPoints: [...modules.keys()].map(module => join(sdk, `src/${module}.ts`)),
      tsconfig: join(sdk, 'tsconfig.json'),
      basePath: join(sdk, 'src'),
      plugin: ['typedoc-plugin-markdown'],
      readme: 'none',
      out: output,
      outputFileStrategy: 'modules',
      logLevel: 'Warn',
      treatWarningsAsErrors: true,
      disableSources: true,
      excludePrivate: true,
      excludeExternals: true,
      hidePageHeader: true,
      hideBreadcrumbs: true,
      useHTMLAnchors: true,
      useCodeBlocks: true,
      parametersFormat: 'table',
      interfacePropertiesFormat: 'table',
      typeAliasPropertiesFormat: 'table',
      enumMembersFormat: 'table',
    })
    const project = await app.convert()
    if (project === undefined) throw new Error(`typedoc could not read sdk/${name}: its messages are above`)
    for (const module of project.children ?? []) module.name = pageName(modules.get(module.name) ?? module.name)
    await app.generateOutputs(project)
    if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error(`the docstrings of sdk/${name} need mending: see above`)
    return [...modules.values()].map(path => {
      const page = `${pageName(path)}.md`
      return [page, readFileSync(join(output, page), 'utf8').replace(/^# .*/, `# ${path}`)]
    })
  } finally {
    rmSync(output, { recursive: true, force: true })
  }
}

/** `@mics/client/encryption` is client-encryption.md. */
function pageName (path) {
  return path.replace(/^@mics\//, '').replaceAll('/', '-')
}
