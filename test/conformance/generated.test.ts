import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

t.test('vectors and schema are what npm run generate:conformance makes', async t => {
  const args = ['--import', 'tsx', 'scripts/conformance/generate.ts', '--check']
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  t.equal(status, 0, stderr)
})
