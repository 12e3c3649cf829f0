import { spawnSync } from 'node:child_process'
import t from 'tap'
import { memoryLimit } from '../../lib/metrics/memory-limits.js'
import { root } from '../helpers/markdown.js'
import { startGateway } from '../helpers/gateway.js'

t.test('the limit of a container is the limit; without one there is none', async t => {
  t.equal(memoryLimit(2 ** 31, 2 ** 34), 2 ** 31)
  t.equal(memoryLimit(0, 2 ** 34), undefined, 'a system that knows no such limits')
  t.equal(memoryLimit(2 ** 64, 2 ** 34), undefined, 'a container without a limit')
})

t.test('the limit of the heap follows --max-old-space-size', async t => {
  const limitWith = (mebibytes: number): number => {
    const script = "import('./lib/metrics/memory-limits.ts').then(({ heapLimit }) => console.log(heapLimit()))"
    const { stdout, stderr } = spawnSync(process.execPath,
      [`--max-old-space-size=${mebibytes}`, '--import', 'tsx', '--eval', script], { cwd: root, encoding: 'utf8' })
    const limit = Number(stdout)
    t.ok(limit >= mebibytes * 2 ** 20, stderr)
    return limit
  }
  t.equal(limitWith(600) - limitWith(500), 100 * 2 ** 20)
})

t.test('the heap in use and its limit are read together', async t => {
  const gateway = await startGateway(t)
  const { body } = await gateway.server.app.inject('/metrics')
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1])
  const share = value('nodejs_heap_size_used_bytes') / value('mics_heap_limit_bytes')
  t.ok(share > 0 && share < 1, String(share))
})
