import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { loadConfig } from '../../lib/config/load-config.js'
import { startServer } from '../../server.js'
import { readDocument, root } from '../helpers/markdown.js'

const guide = readDocument('docs/ops/drills.md')

t.test('the flood of the guide runs as pasted, and ends when its time is over', async t => {
  const source = /```js\n(\/\/ flood\.mjs[\s\S]*?)```/.exec(guide)?.[1] ?? ''
  const folder = t.testdir({ 'flood.mjs': source })
  const built = spawnSync(`${root}node_modules/.bin/buf`, ['build', 'proto', '-o', `${folder}/mics.binpb`], { cwd: root })
  t.equal(built.status, 0, String(built.stderr))
  const config = loadConfig({ HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'silent', DRAIN_TIMEOUT_SECONDS: '1' }, { embedded: true })
  const server = await startServer({ config, embedded: true, handleSignals: false })
  t.teardown(async () => await server.close())
  server.app.hooksClient.timeoutMs = 10_000

  const env = { MICS_URL: server.url.replace('http', 'ws') }
  const flood = spawn(process.execPath, ['flood.mjs', '1'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => flood.kill('SIGKILL'))
  let printed = ''
  flood.stdout.on('data', chunk => { printed += chunk })
  t.strictSame(await once(flood, 'close'), [0, null])
  t.match(printed, /^\{.*\bsent: \d+.*\}\n$/s)
})

t.test('the drills are those of the table of contents, each with an end', async t => {
  const drills = [...guide.matchAll(/^## ((?:A|The|Redis|Kafka) .+)$/gm)].map(([, name]) => name)
  t.ok(drills.length >= 7)
  for (const drill of drills) {
    const text = guide.slice(guide.indexOf(`\n## ${drill}\n`) + 1).split('\n## ')[0]
    t.match(text, /To end it|It is over/, drill)
  }
})
